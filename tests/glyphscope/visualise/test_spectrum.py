import os
from pathlib import Path

import numpy as np
import pytest
import torch

from glyphscope.spec import InputSpec
from glyphscope.visualise.spectrum import magnitude, measure
from tests.conftest import require

MNIST = InputSpec(preprocessing="mnist", mean=(0.1307,), std=(0.3081,))
PHOTO = InputSpec(
    channels=3, height=48, width=64, preprocessing="picture",
    mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3),
)  # fmt: skip


def test_by_law_it_has_the_inputs_mean_and_deviation() -> None:
    waves = magnitude(PHOTO).numpy() * np.exp(
        2j * np.pi * np.random.default_rng(0).random((3, 48, 33))
    )
    waves[:, 0, 0] = magnitude(PHOTO)[:, 0, 0]
    images = np.fft.irfft2(waves, s=(48, 64))
    np.testing.assert_allclose(images.mean((1, 2)), PHOTO.mean, rtol=1e-5)
    # A real image keeps only part of the outer columns' random phases: a few in a hundred.
    np.testing.assert_allclose(images.std((1, 2)), PHOTO.std, rtol=0.1)


def test_of_the_shipped_data_sets_it_was_measured() -> None:
    found = magnitude(MNIST)
    assert found.shape == (1, 28, 15)
    assert found[0, 0, 0] / 784 == pytest.approx(0.1307, abs=1e-4)
    assert magnitude(MNIST.model_copy(update={"height": 20})).shape == (1, 20, 15)


@pytest.mark.data
def test_the_measured_one_is_that_of_the_data() -> None:
    from training.datasets.idx import read_idx

    path = Path(os.environ.get("GLYPHSCOPE_DATA", "/nowhere")) / "MNIST/raw"
    path = path / "train-images-idx3-ubyte.gz"
    if not path.exists():
        require("data", "GLYPHSCOPE_DATA lacks MNIST")
    images = torch.tensor(read_idx(path)[:, None])
    found = torch.stack([measure(part.float() / 255) for part in images.split(10000)]).mean(0)
    torch.testing.assert_close(found, magnitude(MNIST))
