"""Data: do labels, order, scale and splits fit?"""

import math
from collections.abc import Iterator
from itertools import pairwise

from training.doctor import thresholds as t
from training.doctor.figures import Figures
from training.doctor.findings import Finding, found
from training.doctor.record import Record


def check(record: Record, f: Figures) -> Iterator[Finding]:
    yield from _range(record)
    yield from _mismatch(record, f)
    yield from _order(record, f)
    yield from _scale(record, f)
    yield from _leak(record, f)


def _range(record: Record) -> Iterator[Finding]:
    if record.label_range is None or record.classes < 2:
        return
    low, high = record.label_range
    if low < 0 or high >= record.classes:
        yield found(
            "labels-out-of-range",
            f"Labels run from {low} to {high}, but the network has {record.classes} outputs, for "
            f"the classes 0 to {record.classes - 1}.",
            lowest=low,
            highest=high,
            outputs=record.classes,
        )


def _mismatch(record: Record, f: Figures) -> Iterator[Finding]:
    if f.probe is None or f.probe_chance is None or f.first_seen_z is None:
        return
    error = math.sqrt(f.probe_chance * (1 - f.probe_chance) / f.probe_n)
    z = (f.probe - f.probe_chance) / error
    if z < t.Z_PROBE and f.first_seen_z < t.Z_CHANCE and not _held_out_known(record, f):
        yield found(
            "labels-mismatched",
            f"A plain linear model, fitted on half of the images, names {f.probe:.0%} of the "
            f"other {f.probe_n} right; naming the commonest class gives {f.probe_chance:.0%}. The "
            f"network knows images that it has not seen before no better than chance, too. So "
            f"nothing in the images tells their labels.",
            linear_accuracy=f.probe,
            chance=f.probe_chance,
            z=z,
            n=f.probe_n,
        )


def _held_out_known(record: Record, f: Figures) -> bool:
    """Whether the network answers held-out images better than chance: then labels do fit."""
    if not record.held_out or f.probe_chance is None:
        return False
    best = max(record.held_out, key=lambda h: h.accuracy)
    error = math.sqrt(f.probe_chance * (1 - f.probe_chance) / best.n)
    return best.accuracy > f.probe_chance + 2 * t.Z_CHANCE * error


def _order(record: Record, f: Figures) -> Iterator[Finding]:
    if f.neighbours is None or f.neighbours_z is None:
        return
    if f.neighbours > t.NEIGHBOURS and f.neighbours_z > t.Z_CHANCE:
        labels = record.stream.labels
        same = sum(a == b for a, b in pairwise(labels)) / (len(labels) - 1)
        yield found(
            "data-unshuffled",
            f"{same:.0%} of the images are followed by one of the same class; shuffled, "
            f"{same - f.neighbours:.0%} would be. The network forgets each class over the next.",
            same_class_next=same,
            expected=same - f.neighbours,
        )


def _scale(record: Record, f: Figures) -> Iterator[Finding]:
    mean, std = record.inputs.mean, record.inputs.std
    if not record.inputs.n or record.input_normed:
        return
    large = abs(mean) > t.INPUT_LARGE or std > t.INPUT_LARGE
    if large or std < t.INPUT_SMALL:
        yield found(
            "input-unnormalised",
            f"The input has mean {mean:.3g} and standard deviation {std:.3g}; about 0 and 1 are "
            f"wanted. The gradient of the first layer is proportional to its input, so a learning "
            f"rate that suits the other layers is far too {'high' if large else 'low'} there.",
            severity="warning" if f.learned else None,
            mean=mean,
            std=std,
        )


def _leak(record: Record, f: Figures) -> Iterator[Finding]:
    if f.leaked is not None and f.leaked > t.LEAKED:
        n = len(record.validation.prints)
        yield found(
            "splits-leak",
            f"{f.leaked:.1%} of the {n:,} validation images ({round(f.leaked * n):,}) are also "
            f"among the training images, pixel for pixel.",
            share=f.leaked,
            n=n,
        )
