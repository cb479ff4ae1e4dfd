"""NVIDIA's own client against a real server, and its answers against the network itself."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import tritonclient.http as triton
from numpy.typing import NDArray
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException

from glyphscope.checkpoint import Checkpoint
from glyphscope.predict import predict
from glyphscope.preprocess import to_tensor
from service.inference.batcher import TURN

Pixels = NDArray[np.uint8]


@pytest.fixture
def client(address: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(address, network_timeout=240) as client:
        yield client


@pytest.fixture
async def aio_client(address: str) -> AsyncIterator[aio.InferenceServerClient]:
    async with aio.InferenceServerClient(address, conn_timeout=240) as client:
        yield client


def given(name: str, values: NDArray[Any], *, binary: bool = True) -> triton.InferInput:
    datatype = {"u": "UINT8", "f": "FP32"}.get(values.dtype.kind, "BYTES")
    tensor = triton.InferInput(name, list(values.shape), datatype)
    return tensor.set_data_from_numpy(values, binary_data=binary)


def expected(network: Checkpoint, images: Pixels) -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[np.float32] = network.network(
            to_tensor(images, network.manifest.input)
        ).numpy()
    return found


class TestHealthAndMetadata:
    def test_server(self, client: triton.InferenceServerClient) -> None:
        assert client.is_server_live()
        assert client.is_server_ready()
        found = client.get_server_metadata()
        assert found["name"] == "glyphscope"
        assert {"binary_tensor_data", "classification", "statistics"} <= set(found["extensions"])

    def test_model(self, client: triton.InferenceServerClient) -> None:
        for version in ("", "1", "2", "production"):
            assert client.is_model_ready("mnist", version)
        assert not client.is_model_ready("mnist", "9")
        assert not client.is_model_ready("mnits")
        found = client.get_model_metadata("mnist")
        assert (found["name"], found["versions"]) == ("mnist", ["1", "2"])
        assert found["inputs"] == [
            {"name": "input", "datatype": "FP32", "shape": [-1, 1, 28, 28]},
            {"name": "pixels", "datatype": "UINT8", "shape": [-1, 1, 28, 28]},
            {"name": "image", "datatype": "BYTES", "shape": [-1, 1]},
        ]
        shapes = {each["name"]: each["shape"] for each in found["outputs"]}
        assert shapes["logits"] == shapes["probabilities"] == [-1, 10]
        assert shapes["label"] == shapes["energy"] == [-1, 1]

    def test_metadata_is_true(self, client: triton.InferenceServerClient, images: Pixels) -> None:
        """Every output that is declared comes, with its datatype and shape."""
        declared = client.get_model_metadata("mnist")["outputs"]
        answer = client.infer("mnist", [given("pixels", images)])
        assert [each["name"] for each in answer.get_response()["outputs"]] == [
            each["name"] for each in declared
        ]
        for each in declared:
            found = answer.get_output(each["name"])
            assert found["datatype"] == each["datatype"]
            assert found["shape"] == [len(images), *each["shape"][1:]]

    def test_config_agrees_with_the_metadata(self, client: triton.InferenceServerClient) -> None:
        config = client.get_model_config("mnist", "1")
        metadata = client.get_model_metadata("mnist", "1")
        assert config["name"] == "mnist"
        assert config["max_batch_size"] == 1024
        for kind in ("input", "output"):
            told = {each["name"]: each for each in config[kind]}
            for each in metadata[f"{kind}s"]:
                found = told[each["name"]]
                assert [-1, *found["dims"]] == each["shape"]
                data_type = each["datatype"].replace("BYTES", "STRING")
                assert found["data_type"] == f"TYPE_{data_type}"
        assert all(each["optional"] for each in config["input"])

    def test_statistics(self, client: triton.InferenceServerClient, images: Pixels) -> None:
        def stats() -> dict[str, Any]:
            [found] = client.get_inference_statistics("mnist", "1")["model_stats"]
            document: dict[str, Any] = found
            return document

        before = stats()
        client.infer("mnist", [given("pixels", images)], model_version="1")
        with pytest.raises(InferenceServerException):
            client.infer("mnist", [given("pixels", images[:, 0])], model_version="1")
        after = stats()
        assert after["inference_count"] == before["inference_count"] + len(images)
        assert after["execution_count"] == before["execution_count"] + 1
        assert after["last_inference"] > 1_600_000_000_000
        for stage, more in {"success": 1, "fail": 1, "compute_infer": 1, "queue": 0}.items():
            counts = [found["inference_stats"][stage]["count"] for found in (before, after)]
            assert counts[1] == counts[0] + more, stage
        assert {"batch_size": len(images)}.items() <= after["batch_stats"][0].items()
        everything = client.get_inference_statistics()["model_stats"]
        assert ("mnist", "1") in {(each["name"], each["version"]) for each in everything}


class TestRepository:
    def test_index(self, client: triton.InferenceServerClient) -> None:
        assert client.get_model_repository_index() == [
            {"name": "mnist", "version": version, "state": "READY", "reason": ""}
            for version in ("1", "2")
        ]

    def test_unload_and_load(
        self, client: triton.InferenceServerClient, admin: dict[str, str], images: Pixels
    ) -> None:
        client.unload_model("mnist", headers=admin)
        try:
            assert not client.is_model_ready("mnist")
            assert not client.is_model_ready("mnist", "1")
            assert {each["state"] for each in client.get_model_repository_index()} == {
                "UNAVAILABLE"
            }
            with pytest.raises(InferenceServerException, match="was unloaded"):
                client.infer("mnist", [given("pixels", images)])
        finally:
            client.load_model("mnist", headers=admin)
        assert client.is_model_ready("mnist")
        assert client.is_model_ready("mnist", "1")
        assert {each["state"] for each in client.get_model_repository_index()} == {"READY"}
        client.infer("mnist", [given("pixels", images)])

    def test_refused(self, client: triton.InferenceServerClient, admin: dict[str, str]) -> None:
        with pytest.raises(InferenceServerException, match=r"\[401\] .*admin key"):
            client.unload_model("mnist")
        with pytest.raises(InferenceServerException, match=r"\[401\] .*admin key"):
            client.load_model("mnist", headers={"X-Admin-Key": "another"})
        with pytest.raises(InferenceServerException, match="Request for unknown model: 'mnits'"):
            client.load_model("mnits", headers=admin)
        with pytest.raises(InferenceServerException, match="Request for unknown model: 'mnits'"):
            client.unload_model("mnits", headers=admin)
        with pytest.raises(InferenceServerException, match="from the store alone: config"):
            client.load_model("mnist", headers=admin, config="{}")


class TestInfer:
    def test_timeout(self, client: triton.InferenceServerClient, images: Pixels) -> None:
        """In microseconds. One passes while the network runs: what takes several turns has an end
        to its first one, after which clocks are looked at. An hour does not."""
        many = np.concatenate([images] * TURN)
        with pytest.raises(InferenceServerException, match=r"\[504\] not answered within"):
            client.infer("mnist", [given("pixels", many)], timeout=1)
        client.infer("mnist", [given("pixels", images)], timeout=3_600_000_000)

    @pytest.mark.parametrize("binary_in", [True, False])
    @pytest.mark.parametrize("binary_out", [True, False])
    @pytest.mark.parametrize("name", ["input", "pixels"])
    def test_numbers(
        self,
        client: triton.InferenceServerClient,
        network: Checkpoint,
        images: Pixels,
        name: str,
        binary_in: bool,
        binary_out: bool,
    ) -> None:
        values = images if name == "pixels" else images.astype(np.float32) / 255
        names = [each["name"] for each in client.get_model_metadata("mnist")["outputs"]]
        outputs = [triton.InferRequestedOutput(n, binary_data=binary_out) for n in names]
        answer = client.infer(
            "mnist", [given(name, values, binary=binary_in)], outputs=outputs, request_id="seven"
        )
        assert answer.get_response()["id"] == "seven"
        assert answer.get_response()["model_version"] == "2"
        logits = expected(network, images)
        np.testing.assert_allclose(answer.as_numpy("logits"), logits, atol=1e-4)
        told = predict(torch.from_numpy(logits), network.labels, network.manifest.calibration)
        assert [each.decode() for each in np.ravel(_bytes(answer))] == [p.label for p in told]
        assert answer.as_numpy("index").ravel().tolist() == [p.index for p in told]
        assert answer.as_numpy("index").dtype == np.int64
        confidence = answer.as_numpy("confidence").ravel()
        np.testing.assert_allclose(confidence, [p.confidence for p in told], atol=1e-5)
        np.testing.assert_allclose(
            answer.as_numpy("energy").ravel(), [p.energy for p in told], atol=1e-4
        )
        known = answer.as_numpy("in_distribution")
        assert known.dtype == np.bool_
        assert known.ravel().tolist() == [p.in_distribution for p in told]
        np.testing.assert_allclose(answer.as_numpy("probabilities").sum(axis=1), 1, atol=1e-5)

    def test_outputs_in_the_order_asked(
        self, client: triton.InferenceServerClient, images: Pixels
    ) -> None:
        outputs = [
            triton.InferRequestedOutput("label", binary_data=False),
            triton.InferRequestedOutput("logits", binary_data=True),
            triton.InferRequestedOutput("energy", binary_data=False),
        ]
        answer = client.infer("mnist", [given("pixels", images)], outputs=outputs)
        found = answer.get_response()["outputs"]
        assert [each["name"] for each in found] == ["label", "logits", "energy"]
        assert ["data" in each for each in found] == [True, False, True]
        assert answer.as_numpy("logits").shape == (5, 10)

    def test_pictures(
        self,
        client: triton.InferenceServerClient,
        network: Checkpoint,
        digit: Pixels,
        digit_png: bytes,
    ) -> None:
        pictures = np.array([[digit_png], [digit_png]], dtype=np.object_)
        answer = client.infer("mnist", [given("image", pictures)])
        logits = expected(network, np.stack([digit[None]] * 2))
        np.testing.assert_allclose(answer.as_numpy("logits"), logits, atol=1e-4)

    def test_classification(
        self, client: triton.InferenceServerClient, network: Checkpoint, images: Pixels
    ) -> None:
        """Triton writes "value:index:label", the highest first, and no more than there are."""
        logits = expected(network, images)
        order = np.argsort(-logits, axis=1)
        for count, columns in ((3, 3), (99, 10)):
            outputs = [triton.InferRequestedOutput("logits", class_count=count)]
            answer = client.infer("mnist", [given("pixels", images)], outputs=outputs)
            found = answer.as_numpy("logits")
            assert found.shape == (5, columns)
            for row, ranked in enumerate(found):
                values, indices, labels = zip(*(x.decode().split(":") for x in ranked), strict=True)
                assert [int(each) for each in indices] == order[row, :columns].tolist()
                assert [network.labels[int(each)] for each in indices] == list(labels)
                np.testing.assert_allclose(
                    [float(each) for each in values], -np.sort(-logits[row])[:columns], atol=1e-4
                )

    @pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
    def test_compressed_both_ways(
        self, client: triton.InferenceServerClient, images: Pixels, algorithm: str
    ) -> None:
        many = np.concatenate([images] * 20)
        plain = client.infer("mnist", [given("pixels", many)])
        packed = client.infer(
            "mnist",
            [given("pixels", many)],
            request_compression_algorithm=algorithm,
            response_compression_algorithm=algorithm,
        )
        np.testing.assert_allclose(packed.as_numpy("logits"), plain.as_numpy("logits"), atol=1e-4)

    def test_versions(self, client: triton.InferenceServerClient, images: Pixels) -> None:
        def version(asked: str) -> str:
            answer = client.infer("mnist", [given("pixels", images)], model_version=asked)
            found: str = answer.get_response()["model_version"]
            return found

        assert [version(asked) for asked in ("1", "2", "production", "")] == ["1", "2", "2", "2"]

    def test_refused(self, client: triton.InferenceServerClient, images: Pixels) -> None:
        with pytest.raises(
            InferenceServerException, match=r"^\[404\] Request for unknown model: 'a'"
        ):
            client.infer("a", [given("pixels", images)])
        with pytest.raises(InferenceServerException, match="'mnist' version '9' is not found"):
            client.infer("mnist", [given("pixels", images)], model_version="9")
        outputs = [triton.InferRequestedOutput("mood")]
        with pytest.raises(InferenceServerException, match="unexpected output 'mood'"):
            client.infer("mnist", [given("pixels", images)], outputs=outputs)
        with pytest.raises(InferenceServerException, match="keep no state"):
            client.infer("mnist", [given("pixels", images)], sequence_id=7, sequence_start=True)
        with pytest.raises(InferenceServerException, match="404"):
            client.get_trace_settings()


class TestAio:
    async def test_a_round(
        self,
        aio_client: aio.InferenceServerClient,
        network: Checkpoint,
        images: Pixels,
        digit_png: bytes,
    ) -> None:
        assert await aio_client.is_server_live()
        assert await aio_client.is_server_ready()
        assert await aio_client.is_model_ready("mnist", "1")
        assert (await aio_client.get_model_metadata("mnist"))["name"] == "mnist"
        answer = await aio_client.infer("mnist", [given("pixels", images)])
        np.testing.assert_allclose(answer.as_numpy("logits"), expected(network, images), atol=1e-4)
        picture = np.array([[digit_png]], dtype=np.object_)
        answer = await aio_client.infer("mnist", [given("image", picture)])
        assert answer.as_numpy("label").shape == (1, 1)

    @pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
    async def test_compressed(
        self, aio_client: aio.InferenceServerClient, images: Pixels, algorithm: str
    ) -> None:
        many = np.concatenate([images] * 20)
        answer = await aio_client.infer(
            "mnist",
            [given("pixels", many)],
            request_compression_algorithm=algorithm,
            response_compression_algorithm=algorithm,
        )
        assert answer.as_numpy("logits").shape == (100, 10)

    async def test_refused(self, aio_client: aio.InferenceServerClient, images: Pixels) -> None:
        with pytest.raises(InferenceServerException, match="Request for unknown model"):
            await aio_client.infer("a", [given("pixels", images)])


def _bytes(answer: triton.InferResult) -> NDArray[Any]:
    """In JSON labels are text, in binary they are bytes; the client leaves that to its user."""
    found: NDArray[Any] = answer.as_numpy("label")
    return np.array([x.encode() if isinstance(x, str) else x for x in found.ravel()], object)
