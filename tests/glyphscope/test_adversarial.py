import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from glyphscope import checkpoint
from glyphscope.adversarial import AttackOptions, perturb, smallest
from glyphscope.catalogue import network_spec
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import Cancelled, InvalidInput, NotFound
from glyphscope.networks import build
from glyphscope.preprocess import to_tensor
from glyphscope.store import Store
from tests.glyphscope.conftest import Publish

FAST = AttackOptions(steps=10, starts=1)


@pytest.fixture
def tiny(store: Store, publish: Publish) -> Checkpoint:
    return checkpoint.load(store.path(store.resolve(publish().ref)))


@pytest.fixture
def drawing() -> np.ndarray:
    """Grey, so that no pixel of it reaches the end of the scale."""
    return np.random.default_rng(0).integers(100, 156, (1, 28, 28), np.uint8)


@pytest.fixture
def linear(tiny: Checkpoint) -> Checkpoint:
    """Softmax regression between two classes, of which the smallest change is known exactly."""
    network = build(network_spec("linear", (1, 28, 28), 10), seed=1).eval().requires_grad_(False)
    bias = network.get_parameter("logits.bias").data
    bias.fill_(-100)
    bias[9], bias[3] = 4, 0
    return replace(tiny, network=network)


def bound(found: Checkpoint, drawing: np.ndarray, other: int) -> float:
    """Grey levels: the logits' difference over the L1 norm of the weights' (Hein &
    Andriushchenko 2017, section 2, for a linear classifier)."""
    x = to_tensor(drawing[None], found.manifest.input)
    logits = found.network(x)[0]
    weights = found.network.get_parameter("logits.weight")
    answer = int(logits.argmax())
    slope = (weights[answer] - weights[other]).abs().sum() / found.manifest.input.std[0] / 255
    return float((logits[answer] - logits[other]) / slope)


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_of_a_linear_network_the_smallest_change_is_found(
    linear: Checkpoint, drawing: np.ndarray, method: str
) -> None:
    options = FAST.model_copy(update={"method": method, "target": 3})
    expected = math.ceil(bound(linear, drawing, 3))
    found = smallest(linear, drawing, options)
    assert found.succeeded
    assert (found.found, found.answer) == (3, 9)
    # Signs of a linear network's gradient never change, but those of pixels without weight may.
    assert expected <= found.levels <= expected + 1
    assert not perturb(linear, drawing, expected - 1, options).succeeded


@pytest.mark.parametrize("options", [FAST, FAST.model_copy(update={"method": "fgsm"})])
def test_what_is_said_is_true_of_the_bytes(
    tiny: Checkpoint, drawing: np.ndarray, options: AttackOptions
) -> None:
    found = perturb(tiny, drawing, 60, options)
    change = found.pixels.astype(int) - drawing.astype(int)
    assert found.pixels.dtype == np.uint8
    assert found.levels == np.abs(change).max() <= 60
    assert found.distance == found.levels / 255
    with torch.no_grad():
        both = to_tensor(np.stack([drawing, found.pixels]), tiny.manifest.input)
        before, after = tiny.network(both).softmax(1)
    assert found.answer == int(before.argmax())
    assert found.found == int(after.argmax())
    assert found.confidence_after == pytest.approx(float(after.max()), abs=1e-5)
    assert found.succeeded == (found.answer != found.found)


def test_the_same_twice(tiny: Checkpoint, drawing: np.ndarray) -> None:
    options = AttackOptions(steps=5, starts=3, seed=4)
    first, second = (perturb(tiny, drawing, 20, options) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)


def test_what_cannot_be_done_is_said(tiny: Checkpoint, drawing: np.ndarray) -> None:
    answer = perturb(tiny, drawing, 1, FAST).answer
    with pytest.raises(InvalidInput, match=f"answered as class {answer} already"):
        perturb(tiny, drawing, 1, AttackOptions(target=answer))
    with pytest.raises(NotFound, match="unknown class '10'"):
        perturb(tiny, drawing, 1, AttackOptions(target=10))
    with pytest.raises(InvalidInput, match=r"levels must lie in 1\.\.255"):
        perturb(tiny, drawing, 0)
    with pytest.raises(InvalidInput, match="must have the shape"):
        perturb(tiny, drawing[0], 1)
    with pytest.raises(Cancelled):
        smallest(tiny, drawing, FAST, cancelled=lambda: True)
