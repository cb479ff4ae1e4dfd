"""Figures from logits: accuracy, confusion, calibration error, temperature, energy threshold.

ECE: Naeini et al. 2015, 15 equal bins. Temperature: Guo et al. 2017, fitted on validation logits.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from glyphscope.manifest import Calibration, Metrics
from glyphscope.predict import energy, probabilities

BINS = 15

KNOWN_SHARE = 0.99
"""Of the validation images, this share is called in distribution."""


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
    index = (confidence * BINS).long().clamp(max=BINS - 1)
    gap = torch.zeros(BINS, dtype=torch.float64)
    gap.index_add_(0, index, confidence.double() - right.double())
    return float(gap.abs().sum() / len(confidence))


def confusion_matrix(answers: Tensor, labels: Tensor, classes: int) -> Tensor:
    """(classes, classes) counts: row = true class, column = answer."""
    return torch.bincount(labels * classes + answers, minlength=classes**2).view(classes, classes)


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
