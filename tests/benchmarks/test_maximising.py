"""What a long run draws first; that no method's fault ends it, and nothing is drawn twice."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.maximising import table
from benchmarks.maximising.album import Album
from benchmarks.maximising.marks import Figures
from benchmarks.maximising.plan import Most, Part, plan
from glyphscope.checkpoint import Checkpoint, load
from glyphscope.picture import Pixels
from glyphscope.store import Store

EVERY = 10**6
LIVING = {
    model: {"conv1": range(16), "conv2": range(64), "logits": range(10)} for model in ("a", "b")
}


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    store = Store(Path(__file__).parents[2] / "checkpoints")
    return load(store.path(store.resolve("mnist")))


def full() -> list[Part]:
    return plan(LIVING, ["ours", "theirs"], Most(EVERY, EVERY), Most(EVERY, EVERY))


def test_every_unit_of_every_method_is_drawn_once() -> None:
    units = [(p.model, p.method, p.layer, unit) for p in full() for unit in p.units]
    assert len(units) == len({*units}) == 2 * 2 * (16 + 64 + 10)


def test_our_logits_come_first_and_the_channels_of_others_last() -> None:
    assert [(p.method, p.layer) for p in full()[:4]] == [("ours", "logits")] * 4
    last = [part for part in full() if part.method != "ours" and part.layer != "logits"]
    assert full()[-len(last) :] == last


@pytest.mark.parametrize("turns", [1, 2])
def test_every_beginning_has_equally_many_channels_of_each_layer(turns: int) -> None:
    ours = [part for part in full() if part.method == "ours" and part.layer != "logits"]
    for part in ours[: turns * 4]:
        assert part.turn < turns
        assert len(part.units) == 8
    begun = {(part.model, part.layer, part.turn) for part in ours[: turns * 4]}
    assert len(begun) == turns * 4


def test_the_others_logits_follow_our_channels_turn_by_turn() -> None:
    middle = [part for part in full() if (part.method == "ours") != (part.layer == "logits")]
    assert [part.turn for part in middle] == sorted(part.turn for part in middle)


def test_exactly_95_in_100_are_enough() -> None:
    """As 32-bit numbers they are a little less."""
    few = torch.ones(1)
    r = torch.cat([torch.ones(342), torch.zeros(18)])
    figures = Figures(r, few, few, few, few, few, few)
    judge: Any = SimpleNamespace(accuracy=0.9, realism=0.9)
    [mark] = [m for m in table.marks(figures, figures, judge) if "1 channels: r >= 0.8" in m.name]
    assert (mark.found, mark.met) == ("95.0%", True)


def test_a_part_of_a_layer_is_drawn_by_chance_and_not_by_number() -> None:
    [some] = [p for p in plan(LIVING, ["ours"], Most(0, 8), Most(0, 0)) if p.layer == "conv2"][:1]
    assert list(some.units) != sorted(some.units)
    assert max(some.units) > 16


def test_a_part_that_is_there_is_not_drawn_again(tmp_path: Path, checkpoint: Checkpoint) -> None:
    album, part, calls = Album(tmp_path, (1, 2)), Part("mnist", "m", "out1", (3, 1), 0), []

    def draw(_: Checkpoint, layer: str, units: Sequence[int], seeds: Sequence[int]) -> Pixels:
        calls.append((layer, tuple(units), tuple(seeds)))
        return np.full((len(units), len(seeds), 1, 28, 28), 7, np.uint8)

    assert album.pictures(checkpoint, part) is None
    assert [album.draw(checkpoint, part, draw) for _ in range(2)] == [None, None]
    found = album.pictures(checkpoint, part)
    assert found is not None
    assert found[0].shape == (2, 2, 1, 28, 28)
    assert calls == [("out1", (3, 1), (1, 2))]


def test_a_failure_leaves_its_reason_until_it_succeeds(
    tmp_path: Path, checkpoint: Checkpoint
) -> None:
    album, part = Album(tmp_path, (1,)), Part("mnist", "theirs", "out1", (0,), 0)

    def fails(*_: object) -> Pixels:
        raise ImportError("no such\npackage")

    reason = album.draw(checkpoint, part, fails)
    assert reason == album.failure(checkpoint, [part]) == "ImportError: no such package"
    album.draw(checkpoint, part, lambda *_: np.zeros((1, 1, 1, 28, 28), np.uint8))
    assert album.failure(checkpoint, [part]) is None
