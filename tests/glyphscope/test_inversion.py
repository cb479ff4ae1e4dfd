import numpy as np
import pytest
import torch

from glyphscope import checkpoint
from glyphscope.activations import activations
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import Cancelled, InvalidInput, NotFound
from glyphscope.inversion import InversionOptions, invert
from glyphscope.preprocess import to_tensor
from glyphscope.store import Store
from tests.glyphscope.conftest import Publish


@pytest.fixture
def tiny(store: Store, publish: Publish) -> Checkpoint:
    return checkpoint.load(store.path(store.resolve(publish().ref)))


@pytest.fixture
def drawing() -> np.ndarray:
    """A bright cross on black."""
    pixels = np.zeros((1, 28, 28), np.uint8)
    pixels[:, 6:22, 12:16] = pixels[:, 12:16, 6:22] = 220
    return pixels


def test_an_early_layer_gives_the_drawing_back(tiny: Checkpoint, drawing: np.ndarray) -> None:
    found = invert(tiny, drawing, "act1", InversionOptions(steps=80, total_variation=0.01))
    both = np.corrcoef(found.pixels.ravel(), drawing.ravel())[0, 1]
    assert both > 0.97
    assert found.error < 0.02


def test_the_error_is_that_of_the_bytes(tiny: Checkpoint, drawing: np.ndarray) -> None:
    found = invert(tiny, drawing, "dense1", InversionOptions(steps=20))
    x = to_tensor(np.stack([drawing, found.pixels]), tiny.manifest.input)
    wanted, heard = activations(tiny.network, x, ["dense1"])["dense1"]
    expected = float((heard - wanted).square().sum() / wanted.square().sum())
    assert found.error == pytest.approx(expected, rel=1e-3)


def test_variation_is_charged_for(tiny: Checkpoint, drawing: np.ndarray) -> None:
    rough, smooth = (
        invert(tiny, drawing, "dense1", InversionOptions(steps=60, total_variation=weight))
        for weight in (0, 50)
    )

    def variation(pixels: np.ndarray) -> float:
        values = pixels.astype(float)
        return float((np.diff(values, axis=1) ** 2).mean() + (np.diff(values, axis=2) ** 2).mean())

    assert variation(smooth.pixels) < 0.5 * variation(rough.pixels)


def test_the_same_twice_and_nothing_left_behind(tiny: Checkpoint, drawing: np.ndarray) -> None:
    first, second = (invert(tiny, drawing, "conv1", InversionOptions(steps=5)) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert not any(module._forward_hooks for module in tiny.network.modules())
    assert not any(p.grad is not None for p in tiny.network.parameters())


def test_progress_and_cancel(tiny: Checkpoint, drawing: np.ndarray) -> None:
    told: list[tuple[int, int]] = []
    invert(
        tiny, drawing, "conv1", InversionOptions(steps=25),
        progress=lambda step, steps: told.append((step, steps)),
    )  # fmt: skip
    assert told == [(10, 25), (20, 25), (25, 25)]
    with pytest.raises(Cancelled):
        invert(tiny, drawing, "conv1", cancelled=lambda: True)
    with pytest.raises(NotFound, match="unknown layer 'x'"):
        invert(tiny, drawing, "x")
    with pytest.raises(InvalidInput, match="must have the shape"):
        invert(tiny, drawing[0], "conv1")
    assert torch.is_grad_enabled()
