"""Logits -> calibrated answers: probabilities that mean something, and "this is none of mine".

Temperature scaling: Guo et al. 2017 (arXiv:1706.04599). Energy as a score of strangeness: Liu et
al. 2020 (arXiv:2010.03759), here ``-logsumexp(logits)`` at temperature 1; higher is stranger.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glyphscope.manifest import Calibration


@dataclass(frozen=True)
class Candidate:
    label: str
    index: int
    probability: float


@dataclass(frozen=True)
class Prediction:
    """``top`` falls in probability; the first is the answer. ``in_distribution`` is None where the
    checkpoint has no threshold."""

    label: str
    index: int
    confidence: float
    top: tuple[Candidate, ...]
    energy: float
    in_distribution: bool | None


def energy(logits: Tensor) -> Tensor:
    """(N, K) -> (N,)."""
    return -torch.logsumexp(logits.float(), dim=1)


def probabilities(logits: Tensor, calibration: Calibration) -> Tensor:
    """(N, K) -> (N, K), rows sum to 1."""
    return torch.softmax(logits.float() / calibration.temperature, dim=1)


def predict(
    logits: Tensor, labels: Sequence[str], calibration: Calibration, top_k: int = 3
) -> list[Prediction]:
    """One prediction a row. ``top_k`` beyond the number of classes gives all of them."""
    values, indices = probabilities(logits, calibration).topk(min(top_k, len(labels)), dim=1)
    rows = zip(values.tolist(), indices.tolist(), energy(logits).tolist(), strict=True)
    return [_prediction(p, i, e, labels, calibration.energy_threshold) for p, i, e in rows]


def _prediction(
    values: list[float], indices: list[int], e: float, labels: Sequence[str], limit: float | None
) -> Prediction:
    top = tuple(Candidate(labels[i], i, p) for p, i in zip(values, indices, strict=True))
    known = None if limit is None else e <= limit
    return Prediction(top[0].label, top[0].index, top[0].probability, top, e, known)
