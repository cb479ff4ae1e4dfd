"""What is drawn, in an order of which every beginning is a fair sample.

The units of a layer are shuffled once and cut in parts. First come our class logits. Then, turn by
turn, the next part of every layer of every model by our method, and of the logits by the others: so
wherever a run is stopped, equally many channels of every layer are done, chosen by chance. The
channels of the others come last.
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
    """``turn``: which part of its layer, from 0."""

    model: str
    method: str
    layer: str
    units: tuple[int, ...]
    turn: int


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
    found: list[tuple[tuple[int, ...], Part]] = []
    for model, layers in living.items():
        for method in methods:
            first = method == methods[0]
            most = ours if first else rivals
            for layer, units in layers.items():
                logits = layer == "logits"
                some = chosen(units, most.logits if logits else most.channels)
                found += [
                    (_rank(part.turn, first=first, logits=logits), part)
                    for part in _parts(model, method, layer, some)
                ]
    # A stable sort: at equal rank models and methods take turns in the order given.
    return [part for _, part in sorted(found, key=lambda each: each[0])]


def _rank(turn: int, *, first: bool, logits: bool) -> tuple[int, ...]:
    if first and logits:
        return (0, turn)
    if first or logits:
        return (1, turn, 0 if first else 1)
    return (2, turn)


def chosen(units: Sequence[int], most: int) -> list[int]:
    """The first of the shuffled."""
    order = np.random.default_rng(SHUFFLE).permutation(len(units))
    return [units[i] for i in order[:most]]


def _parts(model: str, method: str, layer: str, units: Sequence[int]) -> Iterator[Part]:
    for turn, start in enumerate(range(0, len(units), PART)):
        yield Part(model, method, layer, tuple(units[start : start + PART]), turn)
