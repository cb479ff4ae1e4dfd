"""Which images a network gets wrong: the most confused pairs of classes, the highest losses."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.data import Split
from training.gallery import Example, picture
from training.record import Pair

PAIRS, SHOWN = 6, 6
"""Pairs of classes, and images of each."""

HARDEST = 36


@dataclass(frozen=True)
class Outcome:
    """``chances``: calibrated probabilities (N, K), on the CPU as ``labels`` are."""

    split: Split
    labels: Tensor
    chances: Tensor
    names: Sequence[str]

    def example(self, i: int) -> Example:
        confidence, answer = self.chances[i].max(0)
        truth = int(self.labels[i])
        return Example(
            png=picture(self.split.images[i]),
            index=i,
            truth=self.names[truth],
            answer=self.names[int(answer)],
            confidence=round(float(confidence), 4),
            loss=round(-float(self.chances[i, truth].clamp(min=1e-12).log()), 4),
        )


def pairs(outcome: Outcome, confusion: Tensor) -> tuple[Pair, ...]:
    """By the number of images, each pair with those that were answered wrong most confidently."""
    counts = confusion.clone().fill_diagonal_(0)
    order = torch.argsort(counts.flatten(), descending=True, stable=True)[:PAIRS].tolist()
    found = [divmod(cell, len(outcome.names)) for cell in order]
    return tuple(_pair(outcome, confusion, t, a) for t, a in found if counts[t, a])


def hardest(outcome: Outcome) -> tuple[Example, ...]:
    """The images of highest loss, right or wrong."""
    own = outcome.chances.gather(1, outcome.labels[:, None])[:, 0]
    return tuple(outcome.example(i) for i in _first(own, HARDEST))


def _pair(outcome: Outcome, confusion: Tensor, truth: int, answer: int) -> Pair:
    hit = (outcome.labels == truth) & (outcome.chances.argmax(1) == answer)
    index = torch.nonzero(hit)[:, 0]
    sure = _first(-outcome.chances[index, answer], SHOWN)
    return Pair(
        truth=outcome.names[truth],
        answer=outcome.names[answer],
        n=int(confusion[truth, answer]),
        share=round(float(confusion[truth, answer] / confusion[truth].sum()), 6),
        examples=tuple(outcome.example(int(index[i])) for i in sure),
    )


def _first(values: Tensor, count: int) -> list[int]:
    return [int(i) for i in torch.argsort(values, stable=True)[:count]]
