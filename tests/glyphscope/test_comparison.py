from dataclasses import replace

import numpy as np
import pytest
from torch import Tensor, nn

from glyphscope import checkpoint
from glyphscope.activations import activations
from glyphscope.checkpoint import Checkpoint
from glyphscope.comparison import compare
from glyphscope.errors import InvalidInput, NotFound
from glyphscope.networks import build
from glyphscope.preprocess import to_tensor
from glyphscope.spec import InputSpec
from glyphscope.store import Store
from tests.glyphscope.conftest import Publish


@pytest.fixture
def tiny(store: Store, publish: Publish) -> Checkpoint:
    return checkpoint.load(store.path(store.resolve(publish().ref)))


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (70, 1, 28, 28), np.uint8)


def shuffled(found: Checkpoint, order: list[int], scale: float) -> Checkpoint:
    """The same function: channels of the first layer in another order and larger, and what reads
    them made to fit."""
    network = build(found.manifest.network).eval().requires_grad_(False)
    network.load_state_dict(found.network.state_dict())
    conv, dense = network.get_submodule("conv1"), network.get_submodule("dense1")
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(dense, nn.Linear)
    assert conv.bias is not None
    conv.weight.data = scale * conv.weight[order]
    conv.bias.data = scale * conv.bias[order]
    blocks = dense.weight.view(8, 4, -1)[:, order] / scale
    dense.weight.data = blocks.reshape(8, -1).contiguous()
    return replace(found, network=network)


def hsic_cka(first: Tensor, second: Tensor) -> float:
    """Kornblith et al. 2019, equation 5: over features, not over images as the code does it."""
    x, y = ((v - v.mean(0)).double() for v in (first.flatten(1), second.flatten(1)))
    cross = (y.T @ x).square().sum()
    return float(cross / ((x.T @ x).norm() * (y.T @ y).norm()))


def test_a_shuffled_network_is_found_out(tiny: Checkpoint, images: np.ndarray) -> None:
    order = [2, 0, 3, 1]
    found = compare(tiny, shuffled(tiny, order, 3.0), images, ["act1"])
    [layer] = found.layers
    assert (layer.first, layer.second) == ("act1", "act1")
    assert layer.cka == pytest.approx(1, abs=1e-4)
    assert [match.partner for match in layer.matches] == [order.index(unit) for unit in range(4)]
    assert [match.correlation for match in layer.matches] == pytest.approx([1] * 4, abs=1e-4)
    assert found.agreement == 1


def test_figures_equal_the_formulas(
    tiny: Checkpoint, publish: Publish, store: Store, images: np.ndarray
) -> None:
    other = checkpoint.load(store.path(store.resolve(publish("other", seed=3).ref)))
    found = compare(tiny, other, images)
    assert found.first_layers == found.second_layers == ("act1", "act2", "logits")
    x = to_tensor(images, tiny.manifest.input)
    heard = [activations(c.network, x, found.first_layers) for c in (tiny, other)]
    for i, a in enumerate(found.first_layers):
        for j, b in enumerate(found.second_layers):
            assert found.cka[i, j] == pytest.approx(hsic_cka(heard[0][a], heard[1][b]), abs=1e-4)
    for layer in found.layers:
        maps = [heard[0][layer.first], heard[1][layer.second]]
        if maps[0].shape[2:] != maps[1].shape[2:]:
            maps = [v.flatten(2).amax(2) if v.ndim == 4 else v for v in maps]
        rows = [v.movedim(1, 0).flatten(1).numpy() for v in maps]
        for match in layer.matches:
            alive = [k for k in range(len(rows[1])) if rows[1][k].std() > 0]
            if rows[0][match.unit].std() == 0:
                assert match.correlation == 0
                continue
            own = [np.corrcoef(rows[0][match.unit], rows[1][k])[0, 1] for k in alive]
            assert match.correlation == pytest.approx(max(own), abs=1e-3)
    answers = [h["logits"].argmax(1) for h in heard]
    assert found.agreement == pytest.approx(float((answers[0] == answers[1]).float().mean()))


def test_what_cannot_be_compared(tiny: Checkpoint, images: np.ndarray) -> None:
    manifest = tiny.manifest.model_copy(update={"input": InputSpec(height=32, width=32)})
    with pytest.raises(InvalidInput, match="take other images"):
        compare(tiny, replace(tiny, manifest=manifest), images)
    with pytest.raises(InvalidInput, match="at least 2 images"):
        compare(tiny, tiny, images[:1])
    with pytest.raises(NotFound, match="unknown layer 'x'"):
        compare(tiny, tiny, images, ["x"])
