"""The course of the training: learning rate, units that die or saturate, and what comes of it."""

import math
from collections.abc import Iterator

from training.doctor import thresholds as t
from training.doctor.checks.wiring import joined
from training.doctor.figures import Figures
from training.doctor.findings import Finding, found
from training.doctor.record import Record

_FLAT = {"step": 100, "epoch": 3}


def check(record: Record, f: Figures) -> Iterator[Finding]:
    yield from _rate_high(record, f)
    yield from _rate_low(record, f)
    yield from _units(f)
    yield from _end(record, f)
    yield from _overfitting(record, f)


def _rate_high(record: Record, f: Figures) -> Iterator[Finding]:
    finite = all(math.isfinite(loss) for loss in record.losses)
    high = f.highest_update is not None and f.highest_update > t.UPDATE_HIGH
    stuck = not f.learned and (high or f.spike > t.SPIKE or not finite)
    if not (stuck or f.spike > t.SPIKE):
        return
    shows = []
    if f.spike > t.SPIKE:
        shows.append(f"the loss rose to {f.spike:.3g} times where it started")
    if not finite:
        shows.append("the loss became no number")
    if high:
        shows.append(
            f"a step changes the weights by {f.highest_update:.0%} of their size (usual: 0.1 %)"
        )
    last = f"ends at {f.end:.3g}" if math.isfinite(record.losses[-1]) else "is lost"
    yield found(
        "learning-rate-high",
        f"At a learning rate of {max(s.rate for s in record.steps):g} {joined(shows)}. "
        f"The loss {last}, after {f.start:.3g} at the start.",
        severity=None if stuck else "note",
        learning_rate=max(s.rate for s in record.steps),
        spike=f.spike,
        update=f.highest_update,
        end=f.end,
    )


def _rate_low(record: Record, f: Figures) -> Iterator[Finding]:
    if f.highest_update is None or f.moved or _warming(record):
        return
    if f.highest_update < t.UPDATE_LOW:
        yield found(
            "learning-rate-low",
            f"At a learning rate of {max(s.rate for s in record.steps):g} a step changes the "
            f"weights by {f.highest_update:.1e} of their size; about 1e-3 is usual. In {f.steps} "
            f"steps the loss went from {f.start:.3f} to {f.best:.3f}.",
            update=f.highest_update,
            start=f.start,
            best=f.best,
        )


def _warming(record: Record) -> bool:
    """The learning rate still rises, so its height is not known yet."""
    rates = [step.rate for step in record.steps]
    return rates[-1] > rates[len(rates) // 2] * 1.01


def _units(f: Figures) -> Iterator[Finding]:
    if f.dead is not None and f.dead > t.DEAD:
        yield found(
            "relu-dead",
            f"{f.dead:.0%} of the ReLUs of {f.dead_layer} answer 0 to every image, so their "
            f"weights get no gradient.",
            severity="warning" if f.learned else None,
            share=f.dead,
            layer=f.dead_layer,
        )
    first = f.extreme_first is not None and f.extreme_first > t.EXTREME_FIRST
    late = f.extreme is not None and f.extreme > t.EXTREME and not f.learned
    if first or late:
        share = f.extreme_first if first else f.extreme
        when = "before the first step" if first else "now"
        yield found(
            "units-saturated",
            f"{share:.0%} of what {f.extreme_layer} gives lies at its flat ends {when}, where the "
            f"slope is below a twelfth of the steepest.",
            share=share,
            layer=f.extreme_layer,
        )


def _end(record: Record, f: Figures) -> Iterator[Finding]:
    bad = [step for step, loss in enumerate(record.losses, 1) if not math.isfinite(loss)]
    if bad:
        yield found(
            "loss-not-finite",
            f"The loss is {record.losses[bad[0] - 1]} at {record.unit} {bad[0]}.",
            step=bad[0],
        )
    elif f.steps >= _FLAT[record.unit] and f.chance is not None and not f.moved:
        yield found(
            "loss-flat",
            f"After {f.steps} {record.unit}s the loss is {f.best:.3f} at best; it started at "
            f"{f.start:.3f}, and knowing nothing gives ln {record.classes} = {f.chance:.3f}.",
            best=f.best,
            chance=f.chance,
        )


def _overfitting(record: Record, f: Figures) -> Iterator[Finding]:
    if f.climb is None or f.gap is None or f.climb < t.CLIMB or f.gap > t.LEARNED:
        return
    lowest = min(record.held_out, key=lambda h: h.loss)
    last = record.held_out[-1]
    yield found(
        "overfitting",
        f"The loss on {last.n:,} held-out images was lowest after {record.unit} {lowest.step} "
        f"({lowest.loss:.3f}) and is {last.loss:.3f} now, while the "
        f"training loss fell to {f.end:.3g}. Held-out accuracy: {last.accuracy:.1%}.",
        climb=f.climb,
        lowest_step=lowest.step,
        accuracy=last.accuracy,
    )
