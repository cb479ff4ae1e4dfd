"""CIFAR-10 (Krizhevsky 2009): the official batches, or archives of it under CIFAR10/.

    cifar10            exact; torchvision keeps it in cifar-10-batches-py/ and can download it
    cifar10-jpeg       CIFAR10/cifar10-full-jpeg.npz: every image, but stored as JPEG
    cifar10-lossless   CIFAR10/cifar10-subset-lossless.npz: exact pixels of a fifth of it

Three names, because figures on them are not comparable.
"""

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from lzma import LZMAError
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glyphscope.errors import DataMissing
from training import vision
from training.datasets.source import Source, fetch
from training.datasets.split import Split, from_arrays

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

JPEG = "cifar10-full-jpeg.npz"
LOSSLESS = "cifar10-subset-lossless.npz"

_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, LZMAError)


def batches(split: str, root: Path, reader: Callable[..., Any] | None = None) -> Split:
    """``reader``: torchvision's CIFAR10, which compares the MD5 before it unpickles anything."""
    reader = reader or vision.module("datasets").CIFAR10
    folder = root / "cifar-10-batches-py"
    if not folder.is_dir():
        _download(reader, folder, root)
    try:
        found = _open(reader, root, split, download=False)
    except RuntimeError:
        raise DataMissing(
            f"cifar10: files in {folder} are missing or changed (their MD5 differs); remove "
            "the folder and it is downloaded anew"
        ) from None
    return from_arrays(np.moveaxis(found.data, -1, 1), np.asarray(found.targets))


def _open(reader: Callable[..., Any], root: Path, split: str, download: bool) -> Any:
    with warnings.catch_warnings():
        # The official pickles say align=0 where numpy wants a bool; pytorch/vision#9340.
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        return reader(str(root), train=split == "train", download=download)


def _download(reader: Callable[..., Any], folder: Path, root: Path) -> None:
    try:
        fetch("cifar10", folder, lambda _: _open(reader, root, "test", download=True), root)
    except DataMissing as error:
        lossy = root / "CIFAR10" / JPEG
        if not lossy.is_file():
            raise
        raise DataMissing(
            f"{error}. {lossy} has it as JPEG: set dataset to cifar10-jpeg to train on that"
        ) from None


def jpeg(split: str, root: Path) -> Split:
    path = _file(root, JPEG)
    return _decoded(path, split, path.stat().st_mtime_ns)


def lossless(split: str, root: Path) -> Split:
    path = _file(root, LOSSLESS)
    try:
        with np.load(path) as archive:
            images, labels = archive[f"x_{split}"], archive[f"y_{split}"]
        return from_arrays(np.moveaxis(images, -1, 1), labels)
    except _BROKEN as error:
        raise DataMissing(f"{path} cannot be read: {error}") from None


# Decoding takes seconds, and a run asks for the same split when it checks, trains and publishes.
@lru_cache(maxsize=2)
def _decoded(path: Path, split: str, changed: int) -> Split:
    """``changed``: the file's time stamp, so that another file is not answered from memory."""
    try:
        with np.load(path) as archive:
            data, offset, labels = (
                archive[f"{part}_{split}" if part == "y" else f"{split}_{part}"]
                for part in ("jpeg", "offset", "y")
            )
        images = np.stack([_rgb(part) for part in _parts(data, offset)])
        return from_arrays(np.moveaxis(images, -1, 1), labels)
    except _BROKEN as error:
        raise DataMissing(f"{path} cannot be read: {error}") from None


def _parts(data: NDArray[np.uint8], offset: NDArray[Any]) -> Iterator[bytes]:
    whole, limits = data.tobytes(), offset.tolist()
    for start, end in pairwise(limits):
        yield whole[start:end]


def _rgb(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data), formats=("JPEG",)).convert("RGB"))


def _file(root: Path, name: str) -> Path:
    path = root / "CIFAR10" / name
    if not path.is_file():
        raise DataMissing(
            f"{path} is not there, and it cannot be downloaded; dataset cifar10 can be"
        )
    return path


CIFAR_SOURCES: dict[str, Source] = {
    "cifar10": Source(CLASSES, "picture", batches, mirrors=True),
    "cifar10-jpeg": Source(
        CLASSES, "picture", jpeg, mirrors=True,
        note="lossy: every image was stored as JPEG (quality 75, chroma halved, about 30 dB from "
        "the original), so accuracy here is not comparable with accuracy on CIFAR-10 itself",
    ),
    "cifar10-lossless": Source(
        CLASSES, "picture", lossless, mirrors=True,
        note="a subset with exact pixels: 1,000 training images a class and the first 1,000 test "
        "images of CIFAR-10",
    ),
}  # fmt: skip
