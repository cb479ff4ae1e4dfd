"""The objective that terms ask for: KINDS: dict[kind, (term, units) -> Objective], weighted, added.

compile_terms(terms, units)  ->  Objective of as many images as units
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add

import torch

from glyphscope.visualise import objectives
from glyphscope.visualise.objectives import Objective
from glyphscope.visualise.terms import Term


def compile_terms(terms: Sequence[Term], units: Sequence[int]) -> Objective:
    """Of completed terms; image i is of unit i."""
    return reduce(add, (term.weight * KINDS[term.kind](term, units) for term in terms))


def _units(term: Term, units: Sequence[int]) -> Sequence[int]:
    return units if term.unit is None else [term.unit] * len(units)


def _channel(term: Term, units: Sequence[int]) -> Objective:
    return objectives.channel(str(term.layer), _units(term, units))


def _neuron(term: Term, units: Sequence[int]) -> Objective:
    return objectives.neuron(str(term.layer), _units(term, units), term.position)


def _layer(term: Term, _units: Sequence[int]) -> Objective:
    return objectives.layer(str(term.layer))


def _direction(term: Term, _units: Sequence[int]) -> Objective:
    return objectives.direction(str(term.layer), torch.tensor(term.vector))


KINDS: dict[str, Callable[[Term, Sequence[int]], Objective]] = {
    "channel": _channel,
    "direction": _direction,
    "layer": _layer,
    "neuron": _neuron,
}
