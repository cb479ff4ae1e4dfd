"""A finished picture, and what its unit says to it, in the very bytes that will be served."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glyphscope.checkpoint import Checkpoint
from glyphscope.preprocess import to_tensor
from glyphscope.visualise.batches import Batch
from glyphscope.visualise.request import MaximisationRequest
from glyphscope.visualise.summed import compile_terms
from glyphscope.visualise.trunk import Trunk

Pixels = NDArray[np.uint8]

RECTIFIED = ("relu", "pool", "global_pool", "flatten")
"""Kinds behind a function that can be zero everywhere: there a unit can be silent."""


@dataclass(frozen=True)
class UnitImage:
    """``activation`` is the unit's highest value on these very ``pixels`` (C, H, W), and
    ``dataset_max`` the highest on the test set, where the checkpoint knows it. A dead unit never
    answers: its picture is the empty ground.

    Of several variants of one unit, ``unit`` is the variant's number. Of an objective that is one
    picture of its own it is 0, and ``activation`` the objective's value.
    """

    unit: int
    activation: float
    dataset_max: float | None
    dead: bool
    pixels: Pixels


def finished(
    checkpoint: Checkpoint,
    request: MaximisationRequest,
    batch: Batch,
    pixels: Pixels,
    felt: Sequence[bool],
) -> list[UnitImage]:
    """``felt``: which images had a gradient to climb along; one that never had is noise."""
    if request.closed:
        [value] = _objective(checkpoint, request, batch, pixels)[:1].tolist()
        return [UnitImage(0, value, None, not felt[0], pixels[0] if felt[0] else pixels[0] * 0)]
    values = highest(checkpoint, request.layer, batch.units, pixels)
    known = [checkpoint.examples.maximum(request.layer, unit) for unit in batch.units]
    silent = rectified(checkpoint, request.layer)
    dead = [_dead(silent, *facts) for facts in zip(values.tolist(), known, felt, strict=True)]
    if any(dead):
        pixels = np.where(np.reshape(dead, (-1, 1, 1, 1)), np.uint8(0), pixels)
        values = highest(checkpoint, request.layer, batch.units, pixels)
    return [
        UnitImage(number, float(values[i]), known[i], dead[i], pixels[i])
        for i, number in enumerate(batch.numbers)
    ]


def rectified(checkpoint: Checkpoint, layer: str) -> bool:
    kinds = {info.name: info.kind for info in checkpoint.network.layers}
    return kinds[layer] in RECTIFIED


def highest(checkpoint: Checkpoint, layer: str, units: Sequence[int], pixels: Pixels) -> Tensor:
    """(N,), of image i the highest position of unit i."""
    output = _heard(checkpoint, [layer], pixels)[layer]
    return output[torch.arange(len(units)), list(units)].reshape(len(units), -1).amax(1).cpu()


def _dead(can_be_silent: bool, value: float, known: float | None, felt: bool) -> bool:
    """Silent, on real images too; or of one value whatever it is shown."""
    return value == 0 and not known if can_be_silent else not felt


def _objective(
    checkpoint: Checkpoint, request: MaximisationRequest, batch: Batch, pixels: Pixels
) -> Tensor:
    objective = compile_terms(request.terms, batch.units)
    return objective.score(_heard(checkpoint, objective.layers, pixels))


def _heard(
    checkpoint: Checkpoint, layers: Sequence[str] | frozenset[str], pixels: Pixels
) -> dict[str, Tensor]:
    x = to_tensor(pixels, checkpoint.manifest.input, checkpoint.device)
    with torch.inference_mode():
        return Trunk(checkpoint.network, layers, fold=False)(x)
