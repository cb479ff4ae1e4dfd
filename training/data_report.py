"""What a data set holds: counts, figures of its pixels, repeated images, pictures of each class.

examine(name, root) -> Examined     reads both splits; one that is not there is told, not fatal
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from glyphscope.errors import DataMissing
from glyphscope.spec import Frozen
from training import data
from training.data import Split
from training.gallery import picture

EXAMPLES = 12
"""Pictures of each class."""

SHOWN_PAIRS = 12
"""Pairs of equal images that a report shows."""


class SplitFacts(Frozen):
    """``mean``, ``std``: a channel, of pixels in 0..1. ``least``, ``most``: of 0..255.
    ``repeated``: images whose very pixels came before in the split; ``disputed``: those of them
    that have another label than the first. ``blank``: images of a single value."""

    n: int
    counts: dict[str, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    least: int
    most: int
    repeated: int
    disputed: int
    blank: int


class Pair(Frozen):
    """Two images with the same pixels. Places in their splits; ``png`` as in a report."""

    png: str
    train: int
    test: int
    train_label: str
    test_label: str


class DataReport(Frozen):
    """``leaked``: test images whose very pixels are in the training split; ``leaked_disputed``:
    those of them that have another label there."""

    dataset: str
    note: str
    labels: tuple[str, ...]
    preprocessing: str
    mirrors: bool
    channels: int
    height: int
    width: int
    splits: dict[str, SplitFacts]
    missing: dict[str, str]
    leaked: int
    leaked_disputed: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Examined:
    """The report, and the split that pictures of it are taken from."""

    report: DataReport
    shown: Split


def examine(name: str, root: Path) -> Examined:
    source, found, missing = data.source(name), dict[str, Split](), dict[str, str]()
    for split in ("train", "test"):
        try:
            found[split] = data.load(name, split, root)
        except DataMissing as error:
            missing[split] = str(error)
    if not found:
        raise DataMissing(missing["train"])
    digests = {split: data.digests(images.images) for split, images in found.items()}
    pairs = _pairs(found, digests)
    channels, height, width = next(iter(found.values())).images.shape[1:]
    report = DataReport(
        dataset=name,
        note=source.note,
        labels=source.labels,
        preprocessing=source.preprocessing,
        mirrors=source.mirrors,
        channels=channels,
        height=height,
        width=width,
        splits={s: _facts(split, source.labels, digests[s]) for s, split in found.items()},
        missing=missing,
        leaked=len(pairs),
        leaked_disputed=sum(_differ(found, pair) for pair in pairs),
        pairs=tuple(_shown(found, source.labels, pair) for pair in pairs[:SHOWN_PAIRS]),
    )
    return Examined(report, next(iter(found.values())))


def histogram(images: Tensor) -> Tensor:
    """uint8 (N, C, H, W) -> (C, 256) counts of each value, without a copy of all in floats."""
    return torch.stack(
        [torch.bincount(images[:, c].flatten(), minlength=256) for c in range(images.shape[1])]
    )


def examples(split: Split, label: int, count: int = EXAMPLES) -> Tensor:
    """Up to ``count`` images of a class, spread over the split."""
    where = torch.nonzero(split.labels == label)[:, 0]
    if len(where) > count:
        where = where[torch.linspace(0, len(where) - 1, count).round().long()]
    return split.images[where]


def mean_image(split: Split, label: int) -> Tensor | None:
    """uint8 (C, H, W); None for a class without images."""
    images = split.images[split.labels == label]
    return images.float().mean(0).round().to(torch.uint8) if len(images) else None


def _facts(split: Split, labels: tuple[str, ...], digests: list[bytes]) -> SplitFacts:
    counts = histogram(split.images).double()
    values = torch.arange(256, dtype=torch.float64) / 255
    share = counts / counts.sum(1, keepdim=True)
    mean = share @ values
    std = (share @ values**2 - mean**2).clamp(min=0).sqrt()
    used = torch.nonzero(counts.sum(0))[:, 0]
    flat = split.images.flatten(1)
    classes = torch.bincount(split.labels, minlength=len(labels)).tolist()
    repeated, disputed = _repeats(split, digests)
    return SplitFacts(
        n=len(split),
        counts=dict(zip(labels, classes, strict=True)),
        mean=tuple(round(value, 6) for value in mean.tolist()),
        std=tuple(round(value, 6) for value in std.tolist()),
        least=int(used[0]),
        most=int(used[-1]),
        repeated=repeated,
        disputed=disputed,
        blank=int((flat.amax(1) == flat.amin(1)).sum()),
    )


def _repeats(split: Split, digests: list[bytes]) -> tuple[int, int]:
    """(images that came before, those of them under another label than the first)"""
    first: dict[bytes, int] = {}
    disputed = 0
    for digest, label in zip(digests, split.labels.tolist(), strict=True):
        disputed += first.setdefault(digest, label) != label
    return sum(n - 1 for n in Counter(digests).values()), disputed


def _pairs(found: dict[str, Split], digests: dict[str, list[bytes]]) -> list[tuple[int, int]]:
    """(place in train, place in test) of each test image that is in train."""
    if len(found) < 2:
        return []
    place = {digest: i for i, digest in reversed(list(enumerate(digests["train"])))}
    return [(place[digest], i) for i, digest in enumerate(digests["test"]) if digest in place]


def _differ(found: dict[str, Split], pair: tuple[int, int]) -> bool:
    return bool(found["train"].labels[pair[0]] != found["test"].labels[pair[1]])


def _shown(found: dict[str, Split], labels: tuple[str, ...], pair: tuple[int, int]) -> Pair:
    train, test = pair
    return Pair(
        png=picture(found["test"].images[test]),
        train=train,
        test=test,
        train_label=labels[int(found["train"].labels[train])],
        test_label=labels[int(found["test"].labels[test])],
    )
