"""Before the first step: how each weight was drawn, and whether units start alike."""

from collections.abc import Mapping

import torch
from torch import Tensor

from training.doctor.graph import Graph
from training.doctor.listen import LossCall
from training.doctor.record import Outputs, Weight, Wiring

_ALIKE = 1e-5
"""Rows that differ by less than this share of the largest value are taken as equal."""

_PROBABILITY = 1e-2
"""Rows that sum to 1 within this are probabilities; it leaves room for bfloat16."""


def weights(named: Mapping[str, Tensor], graph: Graph | None) -> list[Weight]:
    """Every weight of two or more dimensions that learns, in the order of the network."""
    normed = {id(w) for w in graph.normed} if graph else set()
    output = id(graph.output) if graph else None
    return [
        _weight(name, p, id(p) in normed, id(p) == output)
        for name, p in named.items()
        if p.dim() >= 2 and p.requires_grad
    ]


def _weight(name: str, p: Tensor, normed: bool, output: bool) -> Weight:
    values = p.detach().float().flatten(1)
    fan_in = values.shape[1]
    spread = float(values.std(correction=0))
    constant = bool((values == values[0, 0]).all())
    rows = [values] if p.grad is None else [values, p.grad.detach().float().flatten(1)]
    return Weight(
        name=name,
        units=len(values),
        fan_in=fan_in,
        gain=spread * fan_in**0.5,
        mean=float(values.mean()),
        constant=constant,
        distinct=_distinct(torch.cat([_scaled(r) for r in rows], 1)) if constant else len(values),
        normed=normed,
        output=output,
    )


def _distinct(values: Tensor) -> int:
    return len(torch.unique((values / _ALIKE).round(), dim=0))


def _scaled(values: Tensor) -> Tensor:
    largest = values.abs().max()
    return values / largest if float(largest) > 0 else values


def wiring(named: Mapping[str, Tensor], held: Mapping[str, Tensor], graph: Graph) -> Wiring:
    """``named``: the network's parameters; ``held``: those in an optimiser."""
    names = {id(p): name for name, p in named.items()}
    trained = {id(p) for p in held.values()}
    missing = [leaf for leaf in graph.leaves if id(leaf) not in trained]
    total = sum(leaf.numel() for leaf in graph.leaves)
    return Wiring(
        rows=tuple((_name(a, names), _name(b, names)) for a, b in graph.rows),
        missing=tuple((_name(leaf, names), leaf.numel()) for leaf in missing),
        missing_share=sum(leaf.numel() for leaf in missing) / max(total, 1),
    )


def outputs(call: LossCall, last: str) -> Outputs:
    values = call.outputs.detach().float()
    rows = values.flatten(2).movedim(1, -1).flatten(0, -2) if values.dim() > 2 else values
    return Outputs(
        last=last,
        probabilities=_sums_to_one(rows),
        log_probabilities=_sums_to_one(rows.exp()),
        spread=float(rows.std(0).mean()) if len(rows) > 1 else 0.0,
    )


def _sums_to_one(rows: Tensor) -> bool:
    if rows.dim() != 2 or rows.shape[1] < 2:
        return False
    return bool((rows >= 0).all()) and bool(((rows.sum(1) - 1).abs() < _PROBABILITY).all())


def _name(p: Tensor, names: Mapping[int, str]) -> str:
    shape = "x".join(map(str, p.shape))
    return names.get(id(p), f"a {shape} tensor in no module")
