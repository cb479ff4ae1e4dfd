"""The start: initial weights, and what they make of signal and gradient."""

from collections.abc import Iterator

from training.doctor import thresholds as t
from training.doctor.checks.wiring import joined, listed
from training.doctor.figures import Figures
from training.doctor.findings import Finding, found
from training.doctor.record import Record


def check(record: Record, f: Figures) -> Iterator[Finding]:
    yield from _constant(record, f)
    yield from _large(record, f)
    yield from _small(record, f)
    yield from _gradient(record, f)


def _constant(record: Record, f: Figures) -> Iterator[Finding]:
    """Constant weights alone are no harm: a last layer of zeros gets a gradient that differs from
    unit to unit. Units are stuck where their gradients are alike too."""
    stuck = [w for w in record.weights if w.constant and w.units > 1 and w.distinct == 1]
    if not stuck:
        return
    w = stuck[0]
    chance = (
        f" The loss at the start is {f.start:.4f} and ln {record.classes} = {f.chance:.4f}, as a "
        f"network that knows nothing should have: the loss alone does not show it."
        if f.chance is not None and abs(f.start - f.chance) < 0.02
        else ""
    )
    yield found(
        "init-constant",
        f"All {w.units * w.fan_in:,} weights of {w.name} start at {w.mean:g}, and its {w.units} "
        f"units get the same gradient, so they stay {w.units} copies of one unit "
        f"(so do: {listed([w.name for w in stuck])}).{chance}",
        names=[w.name for w in stuck],
        value=w.mean,
        start=f.start,
        chance=f.chance,
    )


def _large(record: Record, f: Figures) -> Iterator[Finding]:
    large = [w for w in record.weights if w.gain > t.GAIN_LARGE and not w.normed]
    high_start = f.chance is not None and f.start > t.START * f.chance
    saturated = f.extreme_first is not None and f.extreme_first > t.EXTREME_FIRST
    if not large or not (high_start or saturated) or _input_is_large(record):
        return
    w = max(large, key=lambda w: w.gain)
    shows = []
    if high_start and f.chance is not None:
        shows.append(f"the loss starts at {f.start:.3g} where ln K = {f.chance:.3g} is usual")
    if saturated:
        shows.append(f"{f.extreme_first:.0%} of {f.extreme_layer} is saturated before any step")
    yield found(
        "init-scale",
        f"Weights are too large: {w.name} has standard deviation {w.gain / w.fan_in**0.5:.3g} at "
        f"{w.fan_in} inputs, {w.gain:.1f} times 1 / sqrt(inputs); He takes 1.4, Glorot 1. "
        f"So {joined(shows)}.",
        gain=w.gain,
        start=f.start,
        chance=f.chance,
        saturated=f.extreme_first,
    )


def _input_is_large(record: Record) -> bool:
    return not record.input_normed and record.inputs.std > t.INPUT_LARGE


def _small(record: Record, f: Figures) -> Iterator[Finding]:
    hidden = [w for w in record.weights if not w.normed and not w.output and not w.constant]
    small = [w for w in hidden if w.gain < t.GAIN_SMALL]
    blind = record.outputs is not None and record.outputs.spread < t.SPREAD_SMALL
    if small and blind and record.outputs is not None and not f.learned:
        w = min(small, key=lambda w: w.gain)
        yield found(
            "init-scale",
            f"Weights are too small: {w.name} has standard deviation {w.gain / w.fan_in**0.5:.1e} "
            f"at {w.fan_in} inputs, {w.gain:.1e} times 1 / sqrt(inputs); He takes 1.4, Glorot 1. "
            f"Over the images the first logits differ by {record.outputs.spread:.1e}: nothing of "
            f"the image arrives.",
            gain=w.gain,
            logits_std=record.outputs.spread,
        )


def _gradient(record: Record, f: Figures) -> Iterator[Finding]:
    if f.fall is not None and f.fall < t.FALL and not f.moved:
        yield found(
            "gradient-vanishing",
            f"The gradient of {record.weights[0].name} is {f.fall:.1e} times that of "
            f"{record.weights[-1].name}, so the first layers stand still.",
            ratio=f.fall,
        )
    if f.gradient is not None and f.gradient > t.EXPLODED:
        yield found(
            "gradient-exploding",
            f"The gradient of the first step has norm {f.gradient:.1e}; around 1 is usual, and 100 "
            f"is beyond what is clipped to.",
            norm=f.gradient,
        )
