"""Figures from logits: accuracy and its interval, confusion, precision and recall, calibration
error, temperature, energy threshold.

ECE: Naeini et al. 2015, 15 equal bins. Temperature: Guo et al. 2017, fitted on validation logits.
Interval of an accuracy: Wilson 1927.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from glyphscope.manifest import Calibration, Metrics
from glyphscope.predict import energy, probabilities
from glyphscope.spec import Frozen

BINS = 15

NORMAL_95 = 1.959964
"""The 97.5th percentile of the normal distribution."""

Interval = tuple[float, float]
"""Lower and upper end; 95 % unless it says otherwise."""

KNOWN_SHARE = 0.99
"""Of the validation images, this share is called in distribution."""


class Bin(Frozen):
    """Images whose confidence lies in ``low``..``high``: how sure, and how often right. A bin
    without images has None for both."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


class ClassFigures(Frozen):
    """Of ``n`` images of a class ``recall`` were named so; of the answers that named it
    ``precision`` were right (0 where it was never named); ``f1`` is their harmonic mean."""

    name: str
    n: int
    precision: float
    recall: float
    f1: float


def calibrate(logits: Tensor, labels: Tensor) -> Calibration:
    """The temperature of least negative log-likelihood, and the energy that few images exceed."""
    threshold = float(torch.quantile(energy(logits), KNOWN_SHARE))
    return Calibration(temperature=temperature(logits, labels), energy_threshold=threshold)


def temperature(logits: Tensor, labels: Tensor) -> float:
    """Golden-section search over log T in [0.05, 20]: the loss has one minimum there."""
    low, high = torch.tensor(0.05).log(), torch.tensor(20.0).log()
    ratio = (5**0.5 - 1) / 2
    for _ in range(40):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if _loss(logits, labels, a) < _loss(logits, labels, b):
            high = b
        else:
            low = a
    return round(float(((low + high) / 2).exp()), 4)


def _loss(logits: Tensor, labels: Tensor, log_temperature: Tensor) -> float:
    return float(functional.cross_entropy(logits.double() / log_temperature.exp(), labels))


def expected_calibration_error(confidence: Tensor, right: Tensor) -> float:
    """Mean gap between confidence and accuracy over equal bins, each weighted by its images."""
    _, sure, correct = _binned(confidence, right)
    return float((sure - correct).abs().sum() / len(confidence))


def reliability(confidence: Tensor, right: Tensor) -> tuple[Bin, ...]:
    """The bins of the ECE, from low confidence to high: what a reliability diagram shows."""
    counts, sure, correct = (values.tolist() for values in _binned(confidence, right))
    return tuple(
        Bin(
            low=i / BINS,
            high=(i + 1) / BINS,
            n=int(n),
            confidence=round(s / n, 6) if n else None,
            accuracy=round(c / n, 6) if n else None,
        )
        for i, (n, s, c) in enumerate(zip(counts, sure, correct, strict=True))
    )


def _binned(confidence: Tensor, right: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A number a bin: images, sum of their confidence, how many of them are right."""
    index = (confidence * BINS).long().clamp(max=BINS - 1)
    values = torch.stack([torch.ones(len(right)), confidence.cpu(), right.cpu()]).double()
    sums = torch.zeros(3, BINS, dtype=torch.float64).index_add_(1, index.cpu(), values)
    return sums[0], sums[1], sums[2]


def negative_log_likelihood(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> float:
    """Mean over the images, in nats."""
    return float(functional.cross_entropy(logits.double() / temperature, labels))


def wilson(right: int, n: int) -> Interval:
    """95 % interval of a share (Wilson 1927): never outside 0..1, and honest near its ends."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = right / n, NORMAL_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def confusion_matrix(answers: Tensor, labels: Tensor, classes: int) -> Tensor:
    """(classes, classes) counts: row = true class, column = answer."""
    return torch.bincount(labels * classes + answers, minlength=classes**2).view(classes, classes)


def class_figures(confusion: Tensor, names: Sequence[str]) -> tuple[ClassFigures, ...]:
    """From counts with row = true class, column = answer."""
    hits = confusion.diagonal().double()
    images, answers = confusion.sum(1), confusion.sum(0)
    recall, precision = hits / images.clamp(min=1), hits / answers.clamp(min=1)
    f1 = 2 * hits / (images + answers).clamp(min=1)
    rows = zip(
        names, images.tolist(), precision.tolist(), recall.tolist(), f1.tolist(), strict=True
    )
    return tuple(
        ClassFigures(name=name, n=n, precision=round(p, 6), recall=round(r, 6), f1=round(f, 6))
        for name, n, p, r, f in rows
    )


def metrics(
    logits: Tensor,
    labels: Tensor,
    names: Sequence[str],
    calibration: Calibration,
    split: str,
    validation_accuracy: float,
) -> Metrics:
    answers = logits.argmax(1)
    right = answers == labels
    confusion = confusion_matrix(answers, labels, len(names))
    recall = confusion.diagonal() / confusion.sum(1).clamp(min=1)
    confidence = probabilities(logits, calibration).amax(1)
    return Metrics(
        split=split,
        n=len(labels),
        accuracy=float(right.double().mean()),
        ece=round(expected_calibration_error(confidence, right), 6),
        per_class={name: round(r, 6) for name, r in zip(names, recall.tolist(), strict=True)},
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        validation_accuracy=validation_accuracy,
    )
