"""The figures of a method's pictures, and whether they reach the marks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.maximising.natural import Natural, answers
from benchmarks.maximising.referee import Referee
from glyphscope.checkpoint import Checkpoint
from glyphscope.picture import Pixels
from glyphscope.roughness import high_frequency, total_variation


@dataclass(frozen=True)
class Figures:
    """(pictures,) each, but ``correlation`` (units,): the mean over pairs of seeds. What the
    referee says is of class logits only."""

    r: Tensor
    high_frequency: Tensor
    total_variation: Tensor
    agreement: Tensor
    probability: Tensor
    nearest: Tensor
    correlation: Tensor

    @classmethod
    def joined(cls, parts: Sequence["Figures"]) -> "Figures":
        names = cls.__dataclass_fields__
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


def measure(
    checkpoint: Checkpoint,
    layer: str,
    units: Sequence[int],
    pictures: Pixels,
    known: Natural,
    referee: Referee | None,
) -> Figures:
    """``pictures``: uint8 (units, seeds, C, H, W), none of a dead unit. ``referee``: for class
    logits, whose units are its own classes."""
    flat = np.ascontiguousarray(pictures.reshape(-1, *pictures.shape[2:]))
    unit = torch.tensor(units).repeat_interleave(pictures.shape[1])
    values = answers(checkpoint, flat, [layer])[layer].gather(1, unit[:, None])[:, 0]
    images = torch.from_numpy(flat).float() / 255
    none = torch.zeros(0)
    said = referee.logits(flat).softmax(1) if referee else None
    return Figures(
        r=(values - known.median[unit]) / (known.highest - known.median)[unit],
        high_frequency=high_frequency(images) / known.high_frequency[unit],
        total_variation=total_variation(images) / known.total_variation[unit],
        agreement=none if said is None else (said.argmax(1) == unit).float(),
        probability=none if said is None else said.gather(1, unit[:, None])[:, 0],
        nearest=referee.nearest(flat) if referee else none,
        correlation=correlation(torch.from_numpy(pictures)),
    )


def correlation(pictures: Tensor) -> Tensor:
    """(units,): Pearson's, pixel by pixel, the mean over pairs of the seeds of each unit."""
    flat = pictures.float().flatten(2)
    unit = normalize(flat - flat.mean(2, keepdim=True), dim=2)
    seeds = flat.shape[1]
    if seeds < 2:
        return torch.zeros(0)
    first, second = torch.triu_indices(seeds, seeds, 1)
    return (unit @ unit.mT)[:, first, second].mean(1)
