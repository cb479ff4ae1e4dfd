"""Data sets by name, a split as two tensors: uint8 images (N, C, H, W), upright; labels (N,).

Files are read where torchvision keeps them (``ROOT/MNIST/raw/...``, plain or .gz); what is absent
is downloaded through torchvision, which knows the addresses and hashes.
"""

import gzip
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glyphscope.errors import DataMissing, NotFound
from training import vision

DIGITS = tuple("0123456789")
UPPER = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
LOWER = tuple("abcdefghijklmnopqrstuvwxyz")
MERGED = (*DIGITS, *UPPER, *"abdefghnqrt")
"""47 classes: one for both cases of the letters whose cases look alike (Cohen et al. 2017)."""

GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Where a data set's idx files are, how to fetch them, and what must be known to read them."""

    folder: str
    files: dict[str, str]
    """split -> file name up to "-images-idx3-ubyte"."""
    labels: tuple[str, ...]
    preprocessing: str
    download: Callable[[str], Any] | None
    transposed: bool = False
    first_label: int = 0


@dataclass(frozen=True)
class Split:
    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> "Split":
        return Split(self.images[index], self.labels[index])

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), self.labels.to(device))


def _emnist(split: str, labels: tuple[str, ...], first: int = 0, official: bool = True) -> Source:
    def fetch(root: str) -> Any:
        return vision.module("datasets").EMNIST(root, split=split, download=True)

    return Source(
        folder="EMNIST/raw",
        files={part: f"emnist-{split}-{part}" for part in ("train", "test")},
        labels=labels,
        preprocessing="emnist",
        download=fetch if official else None,
        transposed=True,
        first_label=first,
    )


_IDX = {"train": "train", "test": "t10k"}

SOURCES: dict[str, Source] = {
    "mnist": Source(
        "MNIST/raw", _IDX, DIGITS, "mnist",
        lambda root: vision.module("datasets").MNIST(root, download=True),
    ),
    "fashion-mnist": Source(
        "FashionMNIST/raw", _IDX, GARMENTS, "fashion-mnist",
        lambda root: vision.module("datasets").FashionMNIST(root, download=True),
    ),
    "emnist-balanced": _emnist("balanced", MERGED),
    "emnist-bymerge": _emnist("bymerge", MERGED),
    "emnist-byclass": _emnist("byclass", (*DIGITS, *UPPER, *LOWER)),
    "emnist-letters": _emnist("letters", UPPER, first=1),
    "emnist-digits": _emnist("digits", DIGITS),
    "emnist-mnist": _emnist("mnist", DIGITS),
    # Derived, not official: at most 2,400 images a class, none of the official ByMerge test split.
    "emnist-subset": _emnist("subset", MERGED, official=False),
}  # fmt: skip


def source(name: str) -> Source:
    if name not in SOURCES:
        raise NotFound("data set", name, SOURCES)
    return SOURCES[name]


def data_root(given: Path | None = None) -> Path:
    """``given``, else GLYPHSCOPE_DATA, else a folder in the user's cache."""
    if given is not None:
        return given
    return Path(os.environ.get("GLYPHSCOPE_DATA") or Path.home() / ".cache/glyphscope/data")


def load(name: str, split: str, root: Path) -> Split:
    """``split`` is "train" or "test". Raises ``DataMissing`` where it is not to be had."""
    src = source(name)
    if split not in src.files:
        raise NotFound(f"split of data set {name}", split, src.files)
    folder, stem = root / src.folder, src.files[split]
    paths = [folder / f"{stem}-images-idx3-ubyte", folder / f"{stem}-labels-idx1-ubyte"]
    if not all(_find(path) for path in paths):
        _download(name, src, root)
    images, labels = (read_idx(path) for path in paths)
    if src.transposed:
        images = images.swapaxes(1, 2)
    classes = labels.astype(np.int64) - src.first_label
    if len(images) != len(classes) or classes.min() < 0 or classes.max() >= len(src.labels):
        raise DataMissing(f"{name} {split}: images and labels in {folder} do not belong together")
    return Split(torch.from_numpy(images[:, None].copy()), torch.from_numpy(classes))


def read_idx(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
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


def hold_out(train: Split, count: int, seed: int) -> tuple[Split, Split]:
    """(rest, validation): every class gives its share, drawn by ``seed``, never by position."""
    if not 0 < count < len(train):
        raise DataMissing(f"cannot hold {count} of {len(train)} images out for validation")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(train), generator=generator)
    # A stable sort by class keeps the drawn order inside each class; every n-th is then held out.
    by_class = order[torch.argsort(train.labels[order], stable=True)]
    picks = torch.linspace(0, len(train) - 1, count).round().long()
    held = torch.zeros(len(train), dtype=torch.bool)
    held[by_class[picks]] = True
    return train.take(torch.nonzero(~held)[:, 0]), train.take(torch.nonzero(held)[:, 0])


def _find(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return next((p for p in (path, packed) if p.is_file()), None)


def _download(name: str, src: Source, root: Path) -> None:
    where = f"{name}: its files are not in {root / src.folder}"
    if src.download is None:
        raise DataMissing(f"{where}, and this split is no official one that could be downloaded")
    try:
        root.mkdir(parents=True, exist_ok=True)
        src.download(str(root))
    except (OSError, RuntimeError) as error:
        raise DataMissing(
            f"{where} and the download failed: {error}. Set GLYPHSCOPE_DATA or --data to a folder "
            "that has them, or run once with a network"
        ) from None
