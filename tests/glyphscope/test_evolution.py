import numpy as np
import pytest
import torch

from glyphscope import checkpoint
from glyphscope.activations import activations
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import BrokenCheckpoint, NotFound
from glyphscope.evolution import drift, evolve, stages
from glyphscope.networks import build
from glyphscope.preprocess import to_tensor
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest
from tests.glyphscope.conftest import Publish


@pytest.fixture
def tiny(store: Store, publish: Publish) -> Checkpoint:
    return checkpoint.load(store.path(store.resolve(publish().ref)))


@pytest.fixture
def snapshots(tiny: Checkpoint) -> dict[int, dict[str, torch.Tensor]]:
    """From other weights on a straight line to the checkpoint's own; not in order."""
    last = tiny.network.state_dict()
    first = build(tiny.manifest.network, seed=5).state_dict()
    return {
        epoch: {key: torch.lerp(first[key], last[key], epoch / 4) for key in last}
        for epoch in (4, 0, 2)
    }


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 1, 28, 28), np.uint8)


def test_each_stage_is_the_network_of_its_epoch(
    tiny: Checkpoint, snapshots: dict[int, dict[str, torch.Tensor]], images: np.ndarray
) -> None:
    found = evolve(tiny, snapshots, "conv1", 2, images)
    assert [stage.epoch for stage in found] == [0, 2, 4]
    x = to_tensor(images, tiny.manifest.input)
    for stage in found:
        network = build(tiny.manifest.network).eval()
        network.load_state_dict(snapshots[stage.epoch])
        expected = activations(network, x, ["conv1"])["conv1"][:, 2].flatten(1).amax(1)
        np.testing.assert_allclose(stage.activations, expected.numpy(), rtol=1e-4, atol=1e-5)
        assert stage.weights is not None
        np.testing.assert_array_equal(
            stage.weights, snapshots[stage.epoch]["conv1.weight"][2].numpy()
        )
        assert stage.picture is None
    cosines = drift(found)
    assert cosines[-1] == pytest.approx(1)
    assert cosines[0] < cosines[1] < 1


def test_pictures_are_of_the_unit(
    tiny: Checkpoint, snapshots: dict[int, dict[str, torch.Tensor]], images: np.ndarray
) -> None:
    told: list[tuple[int, int]] = []
    found = evolve(
        tiny, snapshots, "logits", 7, images, MaximisationRequest(layer="conv1", steps=2),
        progress=lambda done, of: told.append((done, of)),
    )  # fmt: skip
    assert told == [(1, 3), (2, 3), (3, 3)]
    for (_, then), stage in zip(stages(tiny, snapshots), found, strict=True):
        assert stage.picture is not None
        assert stage.picture.unit == 7
        with torch.no_grad():
            logits = then.network(to_tensor(stage.picture.pixels[None], tiny.manifest.input))
        assert stage.picture.activation == pytest.approx(float(logits[0, 7]), rel=1e-3, abs=1e-4)


def test_layers_without_weights_and_unknown_names(
    tiny: Checkpoint, snapshots: dict[int, dict[str, torch.Tensor]], images: np.ndarray
) -> None:
    found = evolve(tiny, snapshots, "act1", 0, images)
    assert [stage.weights for stage in found] == [None] * 3
    assert np.isnan(drift(found)).all()
    with pytest.raises(NotFound, match="unknown unit of layer conv1 '4'"):
        evolve(tiny, snapshots, "conv1", 4, images)
    with pytest.raises(BrokenCheckpoint, match="snapshot of epoch 3 does not fit"):
        evolve(tiny, {3: {"conv1.weight": torch.zeros(1)}}, "conv1", 0, images)
