"""MNIST, Fashion-MNIST and EMNIST: idx files where torchvision keeps them, plain or .gz."""

import gzip
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphscope.errors import DataMissing
from training import vision
from training.datasets.source import DIGITS, Source, fetch
from training.datasets.split import Split, from_arrays

UPPER = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
LOWER = tuple("abcdefghijklmnopqrstuvwxyz")
MERGED = (*DIGITS, *UPPER, *"abdefghnqrt")
"""47 classes: one for both cases of the letters whose cases look alike (Cohen et al. 2017)."""

GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@dataclass(frozen=True)
class IdxFiles:
    """``stems``: split -> file name up to "-images-idx3-ubyte". ``download`` takes the root."""

    name: str
    folder: str
    stems: dict[str, str]
    classes: int
    download: Callable[[str], Any] | None
    transposed: bool = False
    first_label: int = 0

    def read(self, split: str, root: Path) -> Split:
        folder, stem = root / self.folder, self.stems[split]
        paths = [folder / f"{stem}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")]
        if not all(_find(path) for path in paths):
            self._fetch(folder, root)
        images, labels = (read_idx(path) for path in paths)
        if self.transposed:
            images = images.swapaxes(1, 2)
        classes = labels.astype(np.int64) - self.first_label
        if len(images) != len(classes) or classes.min() < 0 or classes.max() >= self.classes:
            raise DataMissing(
                f"{self.name} {split}: images and labels in {folder} do not belong together"
            )
        return from_arrays(images[:, None], classes)

    def _fetch(self, folder: Path, root: Path) -> None:
        if self.download is None:
            raise DataMissing(
                f"{self.name}: its files are not in {folder}, and this split is no official one "
                "that could be downloaded"
            )
        fetch(self.name, folder, self.download, root)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An idx file of bytes, plain or with .gz behind its name (LeCun's format)."""
    found = _find(path)
    if found is None:
        raise DataMissing(f"{path} is not there, nor {path.name}.gz")
    try:
        data = gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
        zero, kind, dimensions = struct.unpack(">HBB", data[:4])
        shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
        if zero != 0 or kind != 8:
            raise ValueError("no idx file of bytes")
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (ValueError, struct.error, EOFError, OSError) as error:
        raise DataMissing(f"{found} cannot be read: {error}") from None


def _find(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return next((p for p in (path, packed) if p.is_file()), None)


def _digits_or_clothes(
    name: str, folder: str, labels: tuple[str, ...], mirrors: bool = False
) -> Source:
    def download(root: str) -> Any:
        return getattr(vision.module("datasets"), folder)(root, download=True)

    stems = {"train": "train", "test": "t10k"}
    files = IdxFiles(name, f"{folder}/raw", stems, len(labels), download)
    return Source(labels, name, files.read, mirrors)


def _emnist(
    split: str, labels: tuple[str, ...], first: int = 0, official: bool = True, note: str = ""
) -> Source:
    def download(root: str) -> Any:
        return vision.module("datasets").EMNIST(root, split=split, download=True)

    files = IdxFiles(
        name=f"emnist-{split}",
        folder="EMNIST/raw",
        stems={part: f"emnist-{split}-{part}" for part in ("train", "test")},
        classes=len(labels),
        download=download if official else None,
        transposed=True,
        first_label=first,
    )
    return Source(labels, "emnist", files.read, note=note)


IDX_SOURCES: dict[str, Source] = {
    "mnist": _digits_or_clothes("mnist", "MNIST", DIGITS),
    "fashion-mnist": _digits_or_clothes("fashion-mnist", "FashionMNIST", GARMENTS, mirrors=True),
    "emnist-balanced": _emnist("balanced", MERGED),
    "emnist-bymerge": _emnist("bymerge", MERGED),
    "emnist-byclass": _emnist("byclass", (*DIGITS, *UPPER, *LOWER)),
    "emnist-letters": _emnist("letters", UPPER, first=1),
    "emnist-digits": _emnist("digits", DIGITS),
    "emnist-mnist": _emnist("mnist", DIGITS),
    "emnist-subset": _emnist(
        "subset", MERGED, official=False,
        note="derived, not official: at most 2,400 training and 400 test images a class, none of "
        "the training images from the official ByMerge test split",
    ),
}  # fmt: skip
