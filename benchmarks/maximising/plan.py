"""What is drawn, in an order of which every beginning is a fair sample.

First the class logits, by every method; then our channels; then those of the others. The channels
of a layer are shuffled once and cut into parts; a layer's parts lie evenly over the whole, so
wherever a run is stopped, about the same share of every layer of every model is done.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SHUFFLE = 17
"""The seed of the order of channels."""

PART = 8
"""Units: a batch of the loop that draws them."""


@dataclass(frozen=True)
class Part:
    """``place``: how far into its layer it lies, 0 to 1."""

    model: str
    method: str
    layer: str
    units: tuple[int, ...]
    place: float


@dataclass(frozen=True)
class Most:
    """Units at most: of the logits, and of each convolution's channels."""

    logits: int
    channels: int


def plan(
    living: Mapping[str, Mapping[str, Sequence[int]]],
    methods: Sequence[str],
    ours: Most,
    rivals: Most,
) -> list[Part]:
    """``living``: the units of each layer of each model. The first of ``methods`` is ours."""
    found: list[tuple[int, Part]] = []
    for model, layers in living.items():
        for method in methods:
            first = method == methods[0]
            most = ours if first else rivals
            for layer, units in layers.items():
                logits = layer == "logits"
                stage = 0 if logits else 1 if first else 2
                some = chosen(units, most.logits if logits else most.channels)
                found += [(stage, part) for part in _parts(model, method, layer, some)]
    # A stable sort: at equal places models and methods take turns in the order given.
    return [part for _, part in sorted(found, key=lambda each: (each[0], each[1].place))]


def chosen(units: Sequence[int], most: int) -> list[int]:
    """The first of the shuffled."""
    order = np.random.default_rng(SHUFFLE).permutation(len(units))
    return [units[i] for i in order[:most]]


def _parts(model: str, method: str, layer: str, units: Sequence[int]) -> Iterator[Part]:
    starts = range(0, len(units), PART)
    for i, start in enumerate(starts):
        some = tuple(units[start : start + PART])
        yield Part(model, method, layer, some, (i + 0.5) / len(starts))
