"""A checkpoint -> everything its atlas shows, as plain data and sheets of pixels.

    gather(checkpoint, layers, ...)  ->  Atlas(facts, sheets)

``facts`` becomes JSON in the page. A sheet is uint8 (N, C, H, W); facts name its pictures by row.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glyphscope import confusion
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import InvalidInput, NotFound
from glyphscope.examples import KEPT
from glyphscope.filters import kernels, tiles, with_kernels
from glyphscope.networks import FUNCTIONS, LayerInfo, Network
from glyphscope.picture import Pixels
from glyphscope.receptive_field import ReceptiveField, receptive_fields
from glyphscope.visualise import MaximisationRequest, UnitImage, maximise
from training.atlas import stages as past

ALL = "all"

UNSEEN = ("dropout", "flatten")
"""Kinds without units of their own."""

MOST_UNITS = 20_000
"""In one page. A unit takes about 2 KB of it at 28 pixels, so a page stays below 50 MB."""

MISLED = 6
"""Units shown with a cell of the confusion matrix."""

STAGES = 4
"""Epochs drawn besides the finished network, unless another number is asked for."""

Drawn = dict[str, list[UnitImage]]
"""By layer."""

Progress = Callable[[str, int, int], None]
"""What is being drawn, units done, of how many."""


@dataclass(frozen=True)
class Atlas:
    facts: dict[str, Any]
    sheets: dict[str, Pixels] = field(default_factory=dict)


def chosen_layers(checkpoint: Checkpoint, asked: Sequence[str] = ()) -> list[LayerInfo]:
    """``asked``: names, or "all". Else those behind an activation, and the logits: convolution and
    norm before it tell of the same units.

    Raises ``NotFound`` for an unknown layer, ``InvalidInput`` for more units than fit a page.
    """
    known = [layer for layer in checkpoint.network.layers if layer.kind not in UNSEEN]
    names = [layer.name for layer in known]
    for name in asked:
        if name not in (*names, ALL):
            raise NotFound("layer", name, [*names, ALL])
    usual = [layer for layer in known if layer.kind in FUNCTIONS or layer is known[-1]]
    if asked:
        usual = known if ALL in asked else [layer for layer in known if layer.name in asked]
    units = sum(layer.units for layer in usual)
    if units > MOST_UNITS:
        raise InvalidInput(
            f"these layers have {units:,} units, and a page holds {MOST_UNITS:,}; "
            f"choose with --layers among: {', '.join(names)}"
        )
    return usual


def gather(
    checkpoint: Checkpoint,
    layers: Sequence[LayerInfo],
    *,
    steps: int | None = None,
    preset: str = "default",
    seed: int = 0,
    stages: int = STAGES,
    progress: Progress = lambda layer, done, units: None,
) -> Atlas:
    """Draws every unit of ``layers``, and of the logits in any case. ``steps``: None is the
    preset's own number. ``stages``: epochs at most, of a version that carries snapshots, at which
    each is drawn as well."""
    last = checkpoint.network.layers[-1]
    wanted = [*layers] if last in layers else [*layers, last]
    epochs = past.epochs(checkpoint, stages)
    total, done = sum(layer.units for layer in wanted) * (1 + len(epochs)), 0
    pictures: dict[int | None, Drawn] = {}
    for epoch in (None, *epochs):
        pictures[epoch] = {}
        for layer in wanted:
            request = MaximisationRequest(
                layer=layer.name, preset=preset, steps=steps, seed=seed, epoch=epoch
            )
            found = _drawn(checkpoint, request, layer, done, total, progress)
            pictures[epoch][layer.name] = found
            done += layer.units
    drawn = pictures[None]
    fields = receptive_fields(checkpoint.network)
    facts = {
        "model": _model(checkpoint),
        "last": last.name,
        "layers": [_layer(checkpoint, layer, drawn, fields[layer.name]) for layer in wanted],
        "photos": _photos(checkpoint),
        "map": _map(checkpoint),
        "cells": _cells(checkpoint, {layer.name for layer in wanted}),
        "filters": _filtered(checkpoint.network),
        "stages": [_stage(checkpoint, epoch, pictures[epoch]) for epoch in epochs],
        "made": {"steps": steps, "preset": preset, "seed": seed},
    }
    sheets = {f"drawn-{i}": _stack(drawn[layer.name]) for i, layer in enumerate(wanted)}
    sheets |= {
        f"then-{k}-{i}": _stack(pictures[epoch][layer.name])
        for k, epoch in enumerate(epochs)
        for i, layer in enumerate(wanted)
    }
    return Atlas(facts, {**sheets, **_filters(checkpoint), **_photo_sheet(checkpoint)})


def _drawn(
    checkpoint: Checkpoint,
    request: MaximisationRequest,
    layer: LayerInfo,
    done: int,
    total: int,
    progress: Progress,
) -> list[UnitImage]:
    def told(step: int, steps: int) -> None:
        progress(layer.name, done + layer.units * step // steps, total)

    return maximise(checkpoint, request, progress=told)


def _stage(checkpoint: Checkpoint, epoch: int, drawn: Drawn) -> dict[str, Any]:
    """By layer, of each unit: what it answered to its picture then, and the test image that drove
    it most then."""
    best = past.best_images(checkpoint, epoch, [*drawn])
    return {
        "epoch": epoch,
        "answers": {
            name: [_short(one.activation) for one in units] for name, units in drawn.items()
        },
        "best": {name: [[i, _short(value)] for i, value in units] for name, units in best.items()},
    }


def _stack(drawn: Sequence[UnitImage]) -> Pixels:
    return np.stack([unit.pixels for unit in drawn])


def _model(checkpoint: Checkpoint) -> dict[str, Any]:
    manifest, metrics = checkpoint.manifest, checkpoint.manifest.metrics
    return {
        "ref": manifest.ref,
        "labels": list(checkpoint.labels),
        "network": manifest.network.name,
        "parameters": sum(p.numel() for p in checkpoint.network.parameters()),
        "shape": list(manifest.input.shape),
        "created": manifest.created[:10],
        "accuracy": metrics and metrics.accuracy,
        "images": metrics and metrics.n,
        "split": metrics and metrics.split,
        "confusion": metrics and metrics.confusion,
        "digest": manifest.digest[:12],
    }


def _layer(
    checkpoint: Checkpoint,
    layer: LayerInfo,
    drawn: Drawn,
    field: ReceptiveField,
) -> dict[str, Any]:
    statistics = checkpoint.statistics
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": list(layer.output_shape),
        "field": None
        if field.flat
        else {"rows": field.rows, "columns": field.columns, "size": field.size},
        "duplicates": [
            [a, b, round(value, 4)] for a, b, value in statistics.duplicates(layer.name)
        ],
        "units": [_unit(checkpoint, layer.name, unit) for unit in drawn[layer.name]],
    }


def _unit(checkpoint: Checkpoint, layer: str, drawn: UnitImage) -> dict[str, Any]:
    found = checkpoint.statistics.unit(layer, drawn.unit)
    examples = checkpoint.examples.unit(layer, drawn.unit)[:KEPT]
    return {
        "answer": _short(drawn.activation),
        "dead": drawn.dead or bool(found and found.dead),
        "top": [[e.index, _short(e.activation), *(e.position or ())] for e in examples],
        "range": found
        and [_short(v) for v in (found.lowest, *found.quantiles.values(), found.highest)],
        "mean": found and _short(found.mean),
        "std": found and _short(found.std),
        "active": found and round(found.active, 4),
        "classes": found and [_short(value) for value in found.class_means],
    }


def _photos(checkpoint: Checkpoint) -> list[list[Any]]:
    """[index, label, answer, confidence], in the order of the sheet."""
    values = checkpoint.images.values
    if not values:
        return []
    columns = [values[key].tolist() for key in ("indices", "labels", "answers")]
    sure = [round(value, 3) for value in values["confidences"].tolist()]
    return [list(row) for row in zip(*columns, sure, strict=True)]


def _photo_sheet(checkpoint: Checkpoint) -> dict[str, Pixels]:
    return {"photos": checkpoint.images.pixels} if len(checkpoint.images) else {}


def _map(checkpoint: Checkpoint) -> list[list[Any]]:
    """[x, y, index, label, answer]"""
    found = checkpoint.embedding
    if found is None:
        return []
    points = [[round(x, 3), round(y, 3)] for x, y in found.points.tolist()]
    columns = [found.values[key].tolist() for key in ("indices", "labels", "answers")]
    return [[*point, *rest] for point, *rest in zip(points, *columns, strict=True)]


def _cells(checkpoint: Checkpoint, layers: set[str]) -> list[dict[str, Any]]:
    """Of mistakes, the units that were misled as well."""
    seen = [name for name in checkpoint.statistics.layers if name in layers]
    return [
        {
            "truth": cell.truth,
            "answer": cell.answer,
            "count": cell.count,
            "images": list(cell.examples),
            "units": [
                [u.layer, u.unit, _short(u.first), _short(u.second), round(u.effect, 2)]
                for u in confusion.in_cell(checkpoint, cell.truth, cell.answer, seen, MISLED)
            ]
            if seen and cell.truth != cell.answer
            else [],
        }
        for cell in checkpoint.confusions.cells()
    ]


def _filters(checkpoint: Checkpoint) -> dict[str, Pixels]:
    """The first layer's weights, where they are small pictures."""
    names = with_kernels(checkpoint.network)
    found = kernels(checkpoint.network, names[0]) if names else None
    if found is None or found.shape[1] not in (1, 3) or not 1 < found.shape[-1] <= 64:
        return {}
    return {"filters": tiles(found, "image")}


def _filtered(network: Network) -> list[str]:
    """Layers whose units are the first layer's: itself, and what follows it unit by unit."""
    first = with_kernels(network)[:1]
    names = [layer.name for layer in network.layers]
    start = names.index(first[0]) if first else len(names)
    behind = itertools.takewhile(
        lambda layer: layer.kind in (*FUNCTIONS, "batch_norm"), network.layers[start + 1 :]
    )
    return [*first, *(layer.name for layer in behind)]


def _short(value: float) -> float:
    """Four digits: more are not shown."""
    return float(f"{value:.4g}")
