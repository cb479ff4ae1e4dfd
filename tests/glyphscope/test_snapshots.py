"""Weights by epoch: which are kept, what of them, and the network that they make again."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import torch as tensors
from torch import Tensor

from glyphscope import checkpoint, snapshots
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import BrokenCheckpoint, NotFound
from glyphscope.networks import build
from glyphscope.snapshots import Snapshots, at, chosen, pack
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest, Score, digest, maximise, resolve, score
from tests.glyphscope.conftest import Publish

Weights = dict[int, dict[str, Tensor]]


@pytest.fixture
def tiny(store: Store, publish: Publish) -> Checkpoint:
    return checkpoint.load(store.path(store.resolve(publish().ref)))


@pytest.fixture
def weights(tiny: Checkpoint) -> Weights:
    """Of other networks, in no order."""
    return {n: dict(build(tiny.manifest.network, seed=n + 5).state_dict()) for n in (3, 0, 1)}


@pytest.fixture
def carrying(tiny: Checkpoint, weights: Weights, tmp_path: Path) -> Checkpoint:
    (tmp_path / "snapshots.safetensors").write_bytes(tensors.save(pack(weights)))
    return replace(tiny, snapshots=snapshots.read(tmp_path))


def test_each_epoch_comes_back_as_it_was_but_for_half_precision(
    carrying: Checkpoint, weights: Weights
) -> None:
    found = carrying.snapshots
    assert list(found) == [0, 1, 3]
    for epoch, given in weights.items():
        back = found[epoch]
        assert {*back} == {*given}
        for name, value in given.items():
            exact = value.half().float() if value.ndim > 1 else value
            assert torch.equal(back[name].to(value.dtype), exact)


def test_a_checkpoint_then_is_that_network_and_knows_nothing_of_the_test_set(
    carrying: Checkpoint, weights: Weights
) -> None:
    then = at(carrying, 1)
    kernel = then.network.state_dict()["conv1.weight"]
    assert torch.equal(kernel, weights[1]["conv1.weight"].half().float())
    assert not then.network.training
    assert then.examples.maximum("conv1", 0) is None
    assert (then.embedding, len(then.snapshots)) == (None, 0)


def test_an_epoch_that_is_not_carried_lists_those_that_are(carrying: Checkpoint) -> None:
    with pytest.raises(NotFound, match="0, 1, 3"):
        at(carrying, 2)


def test_a_version_without_is_empty(tiny: Checkpoint, tmp_path: Path) -> None:
    assert len(tiny.snapshots) == len(snapshots.read(tmp_path)) == 0


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "snapshots.safetensors").write_bytes(b"no")
    with pytest.raises(BrokenCheckpoint, match="snapshots"):
        list(Snapshots(tmp_path / "snapshots.safetensors"))


@pytest.mark.parametrize(
    ("count", "most", "places"),
    [
        (3, 12, [0, 1, 2]),
        (13, 4, [0, 1, 5, 12]),
        (100, 5, [0, 2, 9, 31, 99]),
        (13, 12, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]),
        (5, 1, []),
        (1, 1, []),
    ],
)
def test_the_first_the_last_and_more_of_the_early_ones(
    count: int, most: int, places: list[int]
) -> None:
    epochs = [10 * n for n in range(count)]
    assert chosen(epochs, most) == [10 * place for place in places]


def test_within_the_budget(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pack(weights)
    size = sum(value.numel() * value.element_size() for value in whole.values())
    monkeypatch.setattr(snapshots, "BUDGET", size * 2 // 3)
    assert {key.partition("/")[0] for key in pack(weights)} == {"0", "3"}
    monkeypatch.setattr(snapshots, "BUDGET", size // 3)
    assert pack(weights) == {}


def test_a_picture_is_of_the_network_of_its_epoch(carrying: Checkpoint) -> None:
    asked = MaximisationRequest(layer="conv1", units=(2,), steps=4, preset="clean", epoch=1)
    [found] = maximise(carrying, asked)
    [same] = maximise(at(carrying, 1), asked.model_copy(update={"epoch": None}))
    [now] = maximise(carrying, asked.model_copy(update={"epoch": None}))
    assert (found.pixels == same.pixels).all()
    assert (found.pixels != now.pixels).any()
    assert score(carrying, resolve(carrying.network, asked), [found]) == [Score()]


def test_a_picture_is_named_by_its_epoch_and_the_snapshots(carrying: Checkpoint) -> None:
    plain = MaximisationRequest(layer="conv1", units=(2,))
    then = plain.model_copy(update={"epoch": 1})
    manifest = carrying.manifest
    names = {
        digest(manifest.model_copy(update={"files": {**manifest.files, **more}}), request)
        for request in (plain, then)
        for more in ({}, {"snapshots.safetensors": "1"}, {"snapshots.safetensors": "2"})
    }
    # Without an epoch it does not matter what snapshots there are.
    assert len(names) == 4
    assert "epoch" not in plain.model_dump()


def test_a_picture_is_named_by_the_prior_that_its_version_carries(tiny: Checkpoint) -> None:
    asked, manifest = MaximisationRequest(layer="conv1", units=(2,)), tiny.manifest
    names = {
        digest(manifest.model_copy(update={"files": {**manifest.files, **more}}), asked)
        for more in ({}, {"prior.safetensors": "1"}, {"prior.safetensors": "2"})
    }
    assert len(names) == 3
