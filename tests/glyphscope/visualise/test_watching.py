"""What a caller is told while pictures are drawn, and how it stops them."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import Cancelled
from glyphscope.visualise import maximise
from tests.glyphscope.visualise.test_render import FEW, ask, hooks


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_rises_to_the_end(checkpoint: Checkpoint, threads: int) -> None:
    seen: list[tuple[int, int]] = []
    maximise(checkpoint, ask("logits"), threads=threads, progress=lambda *now: seen.append(now))
    assert seen == sorted(seen)
    assert seen[-1] == (3 * FEW, 3 * FEW)  # ten classes, four a batch


def test_cancelling_stops_and_leaves_the_network_as_it_was(checkpoint: Checkpoint) -> None:
    asked = iter([False, True])
    with pytest.raises(Cancelled):
        maximise(checkpoint, ask(steps=4096), cancelled=lambda: next(asked))
    maximise(checkpoint, ask(units=[0]))
    assert hooks(checkpoint.network) == 0
    assert not checkpoint.network.training
    assert all(p.grad is None and not p.requires_grad for p in checkpoint.network.parameters())


def test_cancelling_stops_long_before_the_end(checkpoint: Checkpoint) -> None:
    shown: list[int] = []
    with pytest.raises(Cancelled):
        maximise(
            checkpoint,
            ask(steps=4096),
            frame=lambda step, units, pixels: shown.append(step),
            cancelled=lambda: shown[-1:] == [8],
        )
    assert shown == [1, 2, 3, 4, 8]
    assert hooks(checkpoint.network) == 0


def test_cancelling_stops_every_batch_in_flight(checkpoint: Checkpoint) -> None:
    before, shown = threading.active_count(), set[int]()
    with pytest.raises(Cancelled):
        maximise(
            checkpoint,
            ask("logits", units=range(8), steps=4096),
            threads=2,
            frame=lambda step, units, pixels: shown.update(units),
            cancelled=lambda: shown == {*range(8)},
        )
    assert threading.active_count() == before


def test_batches_beside_each_other_show_their_own_way(checkpoint: Checkpoint) -> None:
    def frames(threads: int) -> dict[tuple[int, ...], list[tuple[int, bytes]]]:
        shown: dict[tuple[int, ...], list[tuple[int, bytes]]] = {}

        def frame(step: int, units: Sequence[int], pixels: Any) -> None:
            shown.setdefault(tuple(units), []).append((step, pixels.tobytes()))

        maximise(checkpoint, ask("logits"), threads=threads, frame=frame)
        return shown

    assert frames(2) == frames(1)


def test_frames_show_the_way_often_at_first(checkpoint: Checkpoint) -> None:
    shown: list[tuple[int, tuple[int, ...]]] = []

    def frame(step: int, units: Sequence[int], pixels: Any) -> None:
        assert pixels.shape == (len(units), 1, 28, 28)
        assert pixels.dtype == np.uint8
        shown.append((step, tuple(units)))

    units = (3, 0, 1, 2, 5)
    maximise(checkpoint, ask("logits", units=units, steps=18), frame=frame)
    steps = [1, 2, 3, 4, 8, 12, 16, 18]
    assert shown == [(n, units[:4]) for n in steps] + [(n, units[4:]) for n in steps]


def test_an_error_of_the_callers_leaves_the_network_as_it_was(checkpoint: Checkpoint) -> None:
    def frame(step: int, units: Sequence[int], pixels: Any) -> None:
        raise KeyError(step)

    with pytest.raises(KeyError):
        maximise(checkpoint, ask(), frame=frame)
    assert hooks(checkpoint.network) == 0
    assert not checkpoint.network.training
