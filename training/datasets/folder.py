"""The user's own images: one folder a class, in PATH or in PATH/train and PATH/test.

Each is fitted by the very function that the service fits requests with, so that the network meets
in service what it was trained on. Settings and defaults: ``training.datasets.own``.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from glyphscope import preprocess
from glyphscope.errors import DataMissing, InvalidInput
from glyphscope.spec import InputSpec
from training.counted import counted
from training.datasets.own import OWN_SIDE, SIDE, Own
from training.datasets.source import Source
from training.datasets.split import Split, divide, from_arrays

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")

_TOLD = 3
"""Broken files named in a message."""

Labelled = tuple[Path, int]
"""An image's file and the index of its class."""


@dataclass(frozen=True)
class Listing:
    """``test`` is None where there is no folder for it."""

    labels: tuple[str, ...]
    train: tuple[Labelled, ...]
    test: tuple[Labelled, ...] | None
    note: str


def source(own: Own) -> Source:
    found = listing(own)

    def read(split: str, root: Path) -> Split:
        train, test = _decoded(own, found, _stamp([*found.train, *(found.test or ())]))
        return train if split == "train" else test

    return Source(found.labels, own.settings.preprocessing, read, mirrors=True, note=found.note)


def listing(own: Own) -> Listing:
    """Classes and files, in the order of their names; nothing is decoded."""
    if not own.path.is_dir():
        raise DataMissing(f"{own.name}: {own.path.resolve()} is no folder")
    train, test = own.path / "train", own.path / "test"
    top = train if _folders(train) else own.path
    labels = tuple(folder.name for folder in _folders(top))
    if len(labels) < 2:
        raise DataMissing(
            f"{own.name}: {top} must hold a folder for each class, at least two; "
            f"it holds {len(labels)}"
        )
    files, skipped = _files(own, top, labels)
    notes = (
        [f"files left out that do not end in {', '.join(ENDINGS)}: {skipped}"] if skipped else []
    )
    if top == train and _folders(test):
        unknown = sorted({folder.name for folder in _folders(test)} - set(labels))
        if unknown:
            raise DataMissing(
                f"{own.name}: test has classes that train has not: {', '.join(unknown)}"
            )
        held, _ = _files(own, test, [name for name in labels if (test / name).is_dir()], labels)
        return Listing(labels, files, held, "; ".join(notes))
    notes.append(
        f"no test folder: {own.settings.test:.0%} of each class, chosen by the pixels, are the "
        "test split"
    )
    return Listing(labels, files, None, "; ".join(notes))


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(p for p in parent.iterdir() if p.is_dir() and p.name[0] not in "._")


def _files(
    own: Own, top: Path, found: Sequence[str], labels: Sequence[str] = ()
) -> tuple[tuple[Labelled, ...], int]:
    """The images of the classes ``found``, and how many other files lie beside them."""
    every: list[Labelled] = []
    skipped = 0
    for name in found:
        inside = sorted(p for p in (top / name).iterdir() if p.is_file() and p.name[0] != ".")
        images = [p for p in inside if p.suffix.lower() in ENDINGS]
        if not images:
            raise DataMissing(
                f"{own.name}: {top / name} holds no image directly in it ({', '.join(ENDINGS)})"
            )
        skipped += len(inside) - len(images)
        every += [(path, (labels or found).index(name)) for path in images]
    return tuple(every), skipped


def _stamp(files: Iterable[Labelled]) -> tuple[int, ...]:
    return tuple(path.stat().st_mtime_ns for path, _ in files)


# Decoding photographs is slow, and a run asks for its splits when it checks, trains and publishes.
@lru_cache(maxsize=2)
def _decoded(own: Own, found: Listing, stamp: tuple[int, ...]) -> tuple[Split, Split]:
    """``stamp``: when each file changed, so that other files are not answered from memory."""
    files = [*found.train, *(found.test or ())]
    images = _images(own, [path for path, _ in files])
    whole = from_arrays(images, np.array([label for _, label in files]))
    if found.test is None:
        return divide(whole, own.settings.test)
    middle = len(found.train)
    return (
        Split(whole.images[:middle], whole.labels[:middle]),
        Split(whole.images[middle:], whole.labels[middle:]),
    )


def _images(own: Own, paths: list[Path]) -> preprocess.Pixels:
    """(N, C, H, W). Grey is found out by decoding in colour: many grey pictures are stored so."""
    how = own.settings
    height, width = how.size or _common_size(paths)
    ink = preprocess.PREPROCESSING[how.preprocessing].crop is None
    channels = how.channels or (1 if ink else 3)
    images = _fitted(own, paths, how.input(channels, height, width))
    if how.channels is None and channels == 3 and _grey(images):
        return images[:, :1]
    return images


def _grey(images: preprocess.Pixels) -> bool:
    return bool((images == images[:, :1]).all())


def _common_size(paths: list[Path]) -> tuple[int, int]:
    """(height, width)"""
    sizes = set()
    for path in paths:
        try:
            with Image.open(path, formats=FORMATS) as picture:
                sizes.add(picture.size)
        except (OSError, ValueError, SyntaxError):
            continue  # reading it in earnest will name it
    width, height = sizes.pop() if len(sizes) == 1 else (0, 0)
    own_size = min(width, height) >= 4 and max(width, height) <= OWN_SIDE
    return (height, width) if own_size else (SIDE, SIDE)


def _fitted(own: Own, paths: list[Path], spec: InputSpec) -> preprocess.Pixels:
    def one(path: Path) -> preprocess.Pixels | str:
        try:
            return preprocess.image(path.read_bytes(), spec, FORMATS)
        except (InvalidInput, OSError) as error:
            return f"{path}: {error}"

    # Pillow lets go of the interpreter's lock while it decodes.
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(one, paths))
    broken = [result for result in results if isinstance(result, str)]
    if broken:
        more = f", and {len(broken) - _TOLD} more" if len(broken) > _TOLD else ""
        raise DataMissing(
            f"{own.name}: {len(broken)} of {counted(len(paths), 'file')} cannot be used: "
            f"{'; '.join(broken[:_TOLD])}{more}"
        )
    return np.stack([result for result in results if not isinstance(result, str)])
