"""The checkpoints that lie in the repository, judged on real images."""

import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from glyphscope import checkpoint, examples, preprocess
from glyphscope.checkpoint import Checkpoint
from glyphscope.manifest import EXAMPLES, ONNX, WEIGHTS
from glyphscope.store import Store
from tests.conftest import require
from training import data

ROOT = Path(__file__).parents[2]
STORE = Store(ROOT / "checkpoints")
SAMPLE = ROOT / "tests/data/mnist-sample.npz"

# What is shipped must not get worse.
FLOORS = {"mnist": 0.995, "fashion-mnist": 0.945, "emnist": 0.89}
LARGEST = 2_500_000


@pytest.fixture(scope="module", params=FLOORS)
def shipped(request: pytest.FixtureRequest) -> Checkpoint:
    return checkpoint.load(STORE.path(STORE.resolve(request.param)))


def logits(found: Checkpoint, images: torch.Tensor) -> torch.Tensor:
    pixels = preprocess.batch(images.numpy(), found.manifest.input)
    with torch.inference_mode():
        parts = np.array_split(pixels, max(1, len(pixels) // 250))
        return torch.cat(
            [found.network(preprocess.to_tensor(p, found.manifest.input)) for p in parts]
        )


def test_each_is_small_and_says_where_it_comes_from(shipped: Checkpoint) -> None:
    manifest = shipped.manifest
    folder = STORE.path(STORE.resolve(manifest.name))
    assert (folder / WEIGHTS).stat().st_size <= LARGEST
    assert (folder / ONNX).stat().st_size <= LARGEST
    assert manifest.metrics
    assert manifest.training
    assert manifest.metrics.accuracy >= FLOORS[manifest.name]
    correct = sum(row[i] for i, row in enumerate(manifest.metrics.confusion))
    assert correct / manifest.metrics.n == pytest.approx(manifest.metrics.accuracy)
    assert manifest.training.git_commit
    assert manifest.training.seconds > 0


@pytest.mark.parametrize("path", sorted(STORE.root.glob(f"*/*/{ONNX}")), ids=lambda p: p.parts[-3])
def test_no_version_says_where_on_a_machine_it_was_made(path: Path) -> None:
    assert b"site-packages" not in path.read_bytes()


def test_onnx_runtime_answers_as_torch_does(shipped: Checkpoint) -> None:
    folder = STORE.path(STORE.resolve(shipped.manifest.name))
    images = torch.from_numpy(np.load(SAMPLE)["test_images"])[:, None]
    x = preprocess.to_tensor(images.numpy(), shipped.manifest.input)
    session = onnxruntime.InferenceSession(folder / ONNX, providers=["CPUExecutionProvider"])
    [found] = session.run(["logits"], {"input": x.contiguous().numpy()})
    np.testing.assert_allclose(found, logits(shipped, images).numpy(), atol=1e-3)


def test_every_unit_has_its_examples(shipped: Checkpoint) -> None:
    folder = STORE.path(STORE.resolve(shipped.manifest.name))
    assert EXAMPLES in shipped.manifest.files
    known = examples.read(folder)
    for layer in shipped.network.layers:
        if layer.kind not in ("dropout", "flatten"):
            assert known.maximum(layer.name, layer.units - 1) is not None, layer.name


def test_mnist_reads_the_sample_in_the_repository() -> None:
    found = checkpoint.load(STORE.path(STORE.resolve("mnist")))
    sample = np.load(SAMPLE)
    answers = logits(found, torch.from_numpy(sample["test_images"])[:, None]).argmax(1).numpy()
    assert (answers == sample["test_labels"]).mean() >= 0.98


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_manifests_accuracy_is_what_the_test_set_gives(name: str) -> None:
    if "GLYPHSCOPE_DATA" not in os.environ:
        require("data", "set GLYPHSCOPE_DATA to a folder that has MNIST/raw and FashionMNIST/raw")
    root = data.data_root()
    found = checkpoint.load(STORE.path(STORE.resolve(name)))
    test = data.load(name, "test", root)
    accuracy = float((logits(found, test.images).argmax(1) == test.labels).double().mean())
    assert found.manifest.metrics
    # Other processors round otherwise, which may turn an image or two.
    assert accuracy == pytest.approx(found.manifest.metrics.accuracy, abs=5e-4)
