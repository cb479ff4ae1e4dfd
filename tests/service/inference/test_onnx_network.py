"""The shipped models' ``model.onnx``, held against their weights; wrong ones are not used."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from glyphscope.folder import read_manifest
from glyphscope.manifest import sha256
from glyphscope.preprocess import to_tensor
from glyphscope.spec import InputSpec
from service.inference.model import open_model
from service.inference.onnx_network import Normaliser

SHIPPED = Path(__file__).parents[3] / "checkpoints"
MNIST = SHIPPED / "mnist" / "1"

PIXELS = np.random.default_rng(1).integers(0, 256, (5, 1, 28, 28), np.uint8)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "emnist"])
def test_answers_as_the_weights_do(name: str) -> None:
    folder = SHIPPED / name / "1"
    model = open_model(read_manifest(folder), folder)
    assert model.runtime == "onnxruntime"
    with torch.inference_mode():
        expected = model.opened().network(to_tensor(PIXELS, model.manifest.input))
    np.testing.assert_allclose(model.forward(PIXELS), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (SHIPPED / "fashion-mnist" / "1" / "model.onnx", "differ by"),
        (SHIPPED / "emnist" / "1" / "model.onnx", "answers (1, 47) and not (1, 10)"),
        (MNIST / "manifest.json", "cannot be run"),
    ],
)
def test_what_disagrees_is_served_by_torch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, other: Path, reason: str
) -> None:
    folder = tmp_path / "mnist" / "1"
    shutil.copytree(MNIST, folder)
    shutil.copy(other, folder / "model.onnx")
    published = read_manifest(folder)
    hashes = published.files | {"model.onnx": sha256(other.read_bytes())}
    manifest = published.model_copy(update={"files": hashes})
    (folder / "manifest.json").write_bytes(manifest.to_json())
    with caplog.at_level(logging.WARNING, "glyphscope.service"):
        model = open_model(manifest, folder)
    assert model.runtime == "torch"
    assert reason in caplog.text
    assert "mnist@1" in caplog.text
    with torch.inference_mode():
        expected = model.opened().network(to_tensor(PIXELS, model.manifest.input))
    np.testing.assert_allclose(model.forward(PIXELS), expected, rtol=1e-5, atol=1e-5)


def test_colours_are_normalised_each_by_its_own() -> None:
    spec = InputSpec(
        height=4, width=5, channels=3, preprocessing="picture", mean=(0.1, 0.4, 0.5),
        std=(0.2, 0.25, 0.3),
    )  # fmt: skip
    pixels = np.random.default_rng(2).integers(0, 256, (2, 3, 4, 5), np.uint8)
    wanted = to_tensor(pixels, spec).numpy()
    np.testing.assert_allclose(Normaliser(spec)(pixels), wanted, atol=1e-5)
