"""The client against a real service; its answers against the library on the same network."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from clients import Client
from clients.answers import Maximisation
from clients.errors import NotFound, Refused, Unfinished
from glyphscope.activations import activations
from glyphscope.checkpoint import Checkpoint, load
from glyphscope.predict import predict
from glyphscope.preprocess import strokes as draw
from glyphscope.preprocess import to_tensor
from glyphscope.store import Ref, Store

Digits = NDArray[np.uint8]

SEVEN = [[[0, 0], [10, 0], [4, 14]]]


@pytest.fixture(scope="module")
def reference(store: Store) -> Checkpoint:
    return load(store.path(Ref("mnist", 1)))


def png(pixels: Digits) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def decoded(data: bytes) -> Digits:
    return np.asarray(Image.open(io.BytesIO(data), formats=["PNG"]))


def labels(reference: Checkpoint, pixels: Digits) -> list[Any]:
    with torch.inference_mode():
        logits = reference.network(to_tensor(pixels, reference.manifest.input))
    found = predict(logits, reference.labels, reference.manifest.calibration)
    return [(one.label, pytest.approx(one.confidence, abs=1e-5)) for one in found]


def test_models_says_what_is_served(client: Client) -> None:
    [model] = client.models()
    assert (model.name, model.versions, model.production) == ("mnist", [1, 2], 1)
    assert model.aliases == {"production": 1, "candidate": 2}
    assert (model.dataset, model.accuracy, model.n) == ("MNIST", 0.125, 10000)
    assert model.labels == tuple("0123456789")
    assert model.input is not None
    assert model.input.height == 28


def test_model_is_the_manifest(client: Client, reference: Checkpoint) -> None:
    manifest = client.model("mnist@1")
    assert manifest["digest"] == reference.manifest.digest
    assert client.model("mnist@candidate")["version"] == 2


def test_layers_are_those_of_the_network(client: Client, reference: Checkpoint) -> None:
    found = [(layer.name, layer.output_shape) for layer in client.layers("mnist")]
    assert found == [(layer.name, layer.output_shape) for layer in reference.network.layers]
    [dropout] = [layer for layer in client.layers("mnist") if layer.kind == "dropout"]
    assert not dropout.maximise


def test_images_arrays_and_lists_are_the_same_images(
    client: Client, reference: Checkpoint, digits: Digits, tmp_path: Path
) -> None:
    expected = labels(reference, digits[:, None])
    path = tmp_path / "first.png"
    path.write_bytes(png(digits[0]))
    files: list[Path | bytes] = [path, *(png(one) for one in digits[1:])]
    for found in (
        client.classify("mnist", images=files),
        client.classify("mnist", array=digits),
        client.classify("mnist", array=digits[:, None] / 255),
        client.classify("mnist", pixels=digits.tolist()),
    ):
        assert [(one.label, one.confidence) for one in found] == expected


def test_strokes_are_drawn_by_the_service(client: Client, reference: Checkpoint) -> None:
    pixels = draw(SEVEN, reference.manifest.input)
    [found] = client.classify("mnist", strokes=[SEVEN], top_k=10, with_input=True)
    assert [(found.label, found.confidence)] == labels(reference, pixels[None])
    assert len(found.top) == 10
    assert found.input is not None
    assert np.array_equal(decoded(found.input.png), pixels[0])


def test_what_the_model_does_not_know_is_told(client: Client) -> None:
    # The threshold of this checkpoint lies below every energy.
    [found] = client.classify("mnist", strokes=[SEVEN])
    assert found.in_distribution is False
    assert found.input is None


def test_activations_are_those_of_the_library(
    client: Client, reference: Checkpoint, digits: Digits
) -> None:
    found = client.activations("mnist", ["logits", "act1"], array=digits)
    x = to_tensor(digits[:, None], reference.manifest.input)
    expected = activations(reference.network, x, ["act1", "logits"])
    assert list(found) == ["logits", "act1"]
    for layer, values in expected.items():
        np.testing.assert_allclose(found[layer], values.numpy(), rtol=1e-4, atol=1e-5)


def test_statistics_summarise_the_activations(client: Client, digits: Digits) -> None:
    maps = client.activations("mnist", array=digits)
    assert list(maps)[:2] == ["conv1", "act1"]
    found = {layer.name: layer for layer in client.statistics("mnist", array=digits)}
    assert found.keys() == maps.keys()
    np.testing.assert_allclose(np.array(found["conv1"].max), maps["conv1"].max((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(np.array(found["conv1"].std), maps["conv1"].std((2, 3)), rtol=1e-3)
    assert found["logits"].output_shape == (10,)


def test_activation_sheet_is_a_picture(client: Client, digits: Digits) -> None:
    sheet = decoded(client.activation_sheet("mnist", ["conv1"], array=digits))
    assert min(sheet.shape) >= 28


def test_maximise_draws_each_unit(client: Client) -> None:
    seen: list[Maximisation] = []
    job = client.maximise("mnist", "conv1", [2, 0], steps=20, seed=7, progress=seen.append)
    assert job.status == "done"
    assert [result.unit for result in job.results] == [2, 0]
    assert [one.status for one in seen][-1] == "done"
    steps = [one.step for one in seen]
    assert steps == sorted(steps)
    small, large = (decoded(client.picture(job.id, 2, scale)) for scale in (1, 3))
    assert small.shape == (28, 28)
    assert np.array_equal(large, small.repeat(3, 0).repeat(3, 1))
    assert decoded(client.grid(job.id)).shape[1] > 2 * 28


def test_events_show_it_being_drawn(client: Client) -> None:
    job = client.start_maximisation("mnist", "conv1", [2, 0], steps=40, seed=11)
    told = list(client.events(job.id, frames=True))
    assert {event.kind for event in told} >= {"progress", "frame", "done"}
    steps = [event.step for event in told]
    assert steps == sorted(steps)
    [frame, *_] = [event for event in told if event.kind == "frame"]
    assert list(frame.images) == [2, 0]
    assert decoded(frame.images[2]).shape == (28, 28)
    end = told[-1].job
    assert end == client.maximisation(job.id)
    assert end is not None
    assert end.frames[-1] == 40
    late = list(client.events(job.id))
    assert [event.kind for event in late if event.kind == "frame"] == []
    assert late[-1] == told[-1]


def test_films_and_animations_are_pictures(client: Client) -> None:
    job = client.maximise("mnist", "conv1", [2, 0], steps=40, seed=11)
    film = decoded(client.film(job.id, 2))
    assert film.shape == (28, 28 * len(job.frames))
    assert np.array_equal(film[:, -28:], decoded(client.picture(job.id, 2)))
    with Image.open(io.BytesIO(client.animation(job.id, 3)), formats=["WEBP"]) as moving:
        assert moving.size == (3 * 57, 3 * 28)


def test_an_equal_maximisation_is_found_again(client: Client) -> None:
    first = client.maximise("mnist", "logits", [3], steps=8)
    again = client.start_maximisation("mnist", "logits", [3], steps=8)
    assert (again.id, again.status) == (first.id, "done")
    assert client.start_maximisation("mnist", "logits", [4], steps=8).id != first.id


def test_an_interrupted_maximise_cancels_its_job(client: Client) -> None:
    seen: list[str] = []

    def interrupt(job: Maximisation) -> None:
        seen.append(job.id)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.maximise("mnist", "conv2", steps=4096, progress=interrupt)
    with pytest.raises(Unfinished) as caught:
        client.wait(client.maximisation(seen[0]))
    assert caught.value.status == "cancelled"


def test_no_picture_of_a_cancelled_job(client: Client) -> None:
    job = client.start_maximisation("mnist", "conv2", "all", steps=4096, seed=1)
    client.cancel(job.id)
    with pytest.raises(Refused, match="it has pictures once it is done"):
        client.picture(job.id, 0)


def test_unknown_names_list_the_known_ones(client: Client) -> None:
    with pytest.raises(NotFound, match="known: mnist") as caught:
        client.layers("nothing")
    assert caught.value.known == ["mnist"]
    with pytest.raises(NotFound) as layer:
        client.activations("mnist", ["conv9"], strokes=[SEVEN])
    assert "conv1" in layer.value.known
    with pytest.raises(NotFound, match="unit of layer conv1 '4'"):
        client.maximise("mnist", "conv1", [4])


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"images": [b"no picture"]}, "no PNG, JPEG or WebP"),
        ({"pixels": [[[0.5, 2.0]]]}, "fractional pixels must lie in 0..1"),
        ({"strokes": [[]]}, "the drawing has no points"),
        ({"array": np.full((1, 28, 28), np.nan)}, "NaN"),
    ],
)
def test_what_cannot_be_used_is_refused(client: Client, inputs: Any, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as caught:
        client.classify("mnist", **inputs)
    assert caught.value.status == 422


def test_invalid_settings_name_their_field(client: Client) -> None:
    with pytest.raises(Refused) as caught:
        client.maximise("mnist", "conv1", [0], steps=0)
    assert caught.value.code == "invalid-fields"
    assert caught.value.fields[0]["pointer"] == "#/steps"
