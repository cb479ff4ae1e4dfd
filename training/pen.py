"""Real pen strokes: how well a network reads what people draw, not what was scanned.

    read(root) -> [Character]            UNIPEN (Guyon et al. 1994), from ROOT/strokes
    judge(network, spec, ...) -> Pen     each character becomes pixels as a drawing on the pad does

Upper and lower case count as the same where the labels have one class for both, as those of EMNIST
ByMerge (Cohen et al. 2017, section II). Figures are by writer: the width of the pad's pen and its
box were chosen on one half of the writers, and the other half is what counts.
"""

import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from glyphscope import preprocess
from glyphscope.errors import DataMissing
from glyphscope.manifest import Calibration
from glyphscope.predict import energy, probabilities
from glyphscope.spec import Frozen, InputSpec
from glyphscope.strokes import Strokes
from training.data import Split
from training.fit import evaluate as logits_of
from training.gallery import Example, picture
from training.measure import Interval

FILES = ("unipen-digits.jsonl.gz", "unipen-letters.jsonl.gz")

QUICK_SAMPLE = 1000
"""Characters that a quick evaluation draws, at even distances."""

RESAMPLES = 2000

MISREAD = 24
"""Misread characters that are shown, one a writer."""


@dataclass(frozen=True)
class Character:
    label: str
    writer: str
    strokes: Strokes

    @property
    def held_out(self) -> bool:
        """Its writer is of the half on which nothing was chosen."""
        return int(hashlib.sha256(self.writer.encode()).hexdigest(), 16) % 2 == 1


@dataclass(frozen=True)
class Answers:
    """A number a character. ``known``: called in distribution by the model's threshold."""

    characters: Sequence[Character]
    right: Tensor
    known: Tensor | None

    def of(self, keep: Callable[[Character], bool]) -> "Answers":
        index = [i for i, character in enumerate(self.characters) if keep(character)]
        known = None if self.known is None else self.known[index]
        return Answers([self.characters[i] for i in index], self.right[index], known)


class Group(Frozen):
    """``interval``: 95 %, by drawing whole writers anew, as one writer's characters are alike."""

    title: str
    n: int
    writers: int
    accuracy: float
    interval: Interval
    in_distribution: float | None


class Share(Frozen):
    """One label or one writer."""

    name: str
    n: int
    accuracy: float


class Pen(Frozen):
    """The first group is the headline: all characters of the writers that were held out."""

    groups: tuple[Group, ...]
    labels: tuple[Share, ...]
    writers: tuple[Share, ...]
    misread: tuple[Example, ...]


def read(root: Path) -> list[Character]:
    """All characters under ROOT/strokes. Raises ``DataMissing`` where a file is not there."""
    return [character for name in FILES for character in _read(root / "strokes" / name)]


def classes(characters: Sequence[Character], names: Sequence[str]) -> list[tuple[int, Character]]:
    """(class index, character) of those that the labels have a class for."""
    index = {name: i for i, name in enumerate(names)}
    found = [(index.get(c.label, index.get(c.label.upper())), c) for c in characters]
    return [(i, c) for i, c in found if i is not None]


def judge(
    network: nn.Module,
    spec: InputSpec,
    names: Sequence[str],
    calibration: Calibration,
    characters: Sequence[tuple[int, Character]],
    device: torch.device | str = "cpu",
) -> Pen:
    """``characters`` as ``classes`` gives them, with at least one of a held out writer."""
    pixels = np.stack([preprocess.strokes(c.strokes, spec) for _, c in characters])
    truth = torch.tensor([i for i, _ in characters])
    split = Split(torch.from_numpy(pixels), truth).to(torch.device(device))
    logits = logits_of(network, split, spec).cpu()
    limit = calibration.energy_threshold
    known = None if limit is None else energy(logits) <= limit
    answers = Answers([c for _, c in characters], logits.argmax(1) == truth, known)
    unseen = answers.of(lambda c: c.held_out)
    return Pen(
        groups=_groups(answers),
        labels=_shares(unseen, lambda c: c.label),
        writers=_shares(unseen, lambda c: c.writer),
        misread=_misread(answers, split.images.cpu(), truth, logits, names, calibration),
    )


def _read(path: Path) -> list[Character]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        return [Character(r["label"], r["writer"], r["strokes"]) for r in records]
    except FileNotFoundError:
        raise DataMissing(f"{path} is not there") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DataMissing(f"{path} cannot be read: {error}") from None


def _groups(answers: Answers) -> tuple[Group, ...]:
    unseen = answers.of(lambda c: c.held_out)
    parts = [
        ("Writers held out", unseen),
        ("digits", unseen.of(lambda c: c.label.isdigit())),
        ("letters", unseen.of(lambda c: c.label.isalpha())),
        ("Writers the pad's pen was chosen on", answers.of(lambda c: not c.held_out)),
    ]
    whole = len(unseen.characters)
    return tuple(
        _group(title, part)
        for title, part in parts
        # A part that is the whole would be said twice.
        if part.characters and (part is unseen or len(part.characters) != whole)
    )


def _group(title: str, part: Answers) -> Group:
    writers = [c.writer for c in part.characters]
    return Group(
        title=title,
        n=len(writers),
        writers=len(set(writers)),
        accuracy=float(part.right.double().mean()),
        interval=by_writer(writers, part.right),
        in_distribution=None if part.known is None else float(part.known.double().mean()),
    )


def by_writer(writers: Sequence[str], right: Tensor) -> Interval:
    """95 % interval of the accuracy from a bootstrap over whole writers (Field and Welsh 2007)."""
    number = {writer: i for i, writer in enumerate(dict.fromkeys(writers))}
    index = torch.tensor([number[writer] for writer in writers])
    totals = torch.zeros(2, len(number), dtype=torch.float64)
    totals.index_add_(1, index, torch.stack([right.double(), torch.ones(len(right)).double()]))
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(len(number), (RESAMPLES, len(number)), generator=generator)
    hits, counts = totals[:, draws].sum(2)
    ends = torch.quantile(hits / counts, torch.tensor([0.025, 0.975], dtype=torch.float64))
    return float(ends[0]), float(ends[1])


def _shares(part: Answers, name: Callable[[Character], str]) -> tuple[Share, ...]:
    found: dict[str, list[bool]] = defaultdict(list)
    for character, right in zip(part.characters, part.right.tolist(), strict=True):
        found[name(character)].append(right)
    return tuple(
        Share(name=key, n=len(values), accuracy=sum(values) / len(values))
        for key, values in sorted(found.items())
    )


def _misread(
    answers: Answers,
    images: Tensor,
    truth: Tensor,
    logits: Tensor,
    names: Sequence[str],
    calibration: Calibration,
) -> tuple[Example, ...]:
    """Of each held out writer the one that was misread most confidently."""
    chances = probabilities(logits, calibration)
    confidence, answer = chances.max(1)
    first: dict[str, int] = {}
    for i in torch.argsort(confidence, descending=True, stable=True).tolist():
        character = answers.characters[i]
        if character.held_out and not answers.right[i]:
            first.setdefault(character.writer, i)
    return tuple(
        Example(
            png=picture(images[i]),
            index=i,
            truth=answers.characters[i].label,
            answer=names[int(answer[i])],
            confidence=round(float(confidence[i]), 4),
            loss=round(-float(chances[i, truth[i]].clamp(min=1e-12).log()), 4),
        )
        for i in list(first.values())[:MISREAD]
    )
