"""The user's own arrays: a .npz file with images and labels.

    x_train y_train [x_test y_test]     or     images labels
    names                               class names by index (optional)

Images are (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels: integers 0..255 or
fractions 0..1. Labels are (N,) or (N, 1): whole numbers or words. Without ``names`` a class is
called by its label. Beside y_train, ``labels`` may hold the names too.
"""

import zipfile
import zlib
from collections.abc import Callable
from lzma import LZMAError
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphscope import preprocess
from glyphscope.errors import DataMissing, InvalidInput
from training.datasets.own import Own
from training.datasets.source import Source
from training.datasets.split import Split, divide, from_arrays

Array = NDArray[Any]
Get = Callable[[str], Array]

_TRAIN, _WHOLE = ("x_train", "y_train"), ("images", "labels")
_NAMES = ("names", "class_names", "classes", "label_names")


def source(own: Own) -> Source:
    """Reads the labels, not the images."""
    with _Archive(own) as archive:
        labels = _classes(archive)[0]
    test = own.settings.test
    note = (
        ""
        if "x_test" in archive.keys
        else f"no x_test: {test:.0%} of each class, chosen by the pixels, are the test split"
    )

    def read(split: str, root: Path) -> Split:
        with _Archive(own) as archive:
            return _read(archive, split, test)

    return Source(labels, own.settings.preprocessing, read, mirrors=True, note=note)


class _Archive:
    """A .npz whose every failure says which file and which array it was."""

    def __init__(self, own: Own) -> None:
        self.name, self.own = own.name, own
        if not own.path.is_file():
            raise DataMissing(f"{own.name}: {own.path.resolve()} is no file")
        try:
            self.file = np.load(own.path)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            raise DataMissing(f"{own.name}: {own.path} is no .npz archive") from None
        if not isinstance(self.file, np.lib.npyio.NpzFile):
            raise DataMissing(f"{own.name}: {own.path} is a single array; numpy.savez makes a .npz")
        self.keys = list(self.file)
        self.pair = _TRAIN if "x_train" in self.keys else _WHOLE

    def __enter__(self) -> "_Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getitem__(self, key: str) -> Array:
        if key not in self.keys:
            raise DataMissing(
                f"{self.name}: there is no array {key!r} in it (found: {', '.join(self.keys)}); "
                "it needs x_train and y_train, or images and labels"
            )
        try:
            return np.asarray(self.file[key])
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, LZMAError) as error:
            raise DataMissing(f"{self.name}: array {key!r} cannot be read: {error}") from None

    def fail(self, message: str) -> DataMissing:
        return DataMissing(f"{self.name}: {message}")


def _read(archive: _Archive, split: str, share: float) -> Split:
    names, values = _classes(archive)
    if "x_test" in archive.keys and split == "test":
        return _split(archive, "x_test", "y_test", names, values)
    train = _split(archive, *archive.pair, names, values)
    if "x_test" in archive.keys:
        return train
    return divide(train, share)[1 if split == "test" else 0]


def _classes(archive: _Archive) -> tuple[tuple[str, ...], list[Any]]:
    """(class names, the label that each stands for)"""
    labels = _labels(archive, archive.pair[1])
    keys = [*_NAMES, "labels"] if archive.pair == _TRAIN else _NAMES
    given = next((key for key in keys if key in archive.keys), None)
    if given is None:
        found = np.unique(labels).tolist()
        return tuple(str(label) for label in found), found
    names = [str(name) for name in archive[given].reshape(-1).tolist()]
    if len(set(names)) < len(names):
        raise archive.fail(f"two classes have the same name in {given!r}")
    return tuple(names), names if labels.dtype.kind == "U" else list(range(len(names)))


def _labels(archive: _Archive, key: str) -> Array:
    labels = archive[key]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) == 0:
        raise archive.fail(
            f"{key} must hold one label an image, (N,), not {labels.shape}"
            + ("; for one-hot labels, save their argmax(1)" if labels.ndim == 2 else "")
        )
    if labels.dtype.kind == "S":
        return labels.astype(str)
    if labels.dtype.kind == "f" and (labels == np.rint(labels)).all():
        return labels.astype(np.int64)
    if labels.dtype.kind not in "uibU":
        raise archive.fail(f"{key} must hold whole numbers or words, not {labels.dtype}")
    return labels


def _split(archive: _Archive, x: str, y: str, names: tuple[str, ...], values: list[Any]) -> Split:
    labels = _labels(archive, y)
    images = _pixels(archive, x)
    if len(images) != len(labels):
        raise archive.fail(f"{len(images)} images in {x} but {len(labels)} labels in {y}")
    index = {value: i for i, value in enumerate(values)}
    unknown = sorted(set(labels.tolist()) - set(index))
    if unknown:
        shown = ", ".join(repr(label) for label in unknown[:5])
        raise archive.fail(
            f"labels in {y} that are no class: {shown}; there are {len(names)} classes, "
            f"{values[0]!r} to {values[-1]!r}"
        )
    return from_arrays(images, np.array([index[label] for label in labels.tolist()]))


def _pixels(archive: _Archive, key: str) -> preprocess.Pixels:
    """(N, C, H, W), fitted where a size was asked for that is not theirs."""
    images, how = _channels_first(archive, key), archive.own.settings
    try:
        preprocess.check_numbers(images)
        pixels = preprocess.to_bytes(images)
        if how.channels == 1 and pixels.shape[1] == 3:
            # ITU-R 601 luma, as Pillow turns colour into grey.
            pixels = np.rint(np.tensordot(pixels, [0.299, 0.587, 0.114], (1, 0)))[:, None]
            pixels = pixels.astype(np.uint8)
        if how.channels == 3 and pixels.shape[1] == 1:
            pixels = np.repeat(pixels, 3, axis=1)
        size = how.size or pixels.shape[2:]
        return preprocess.batch(pixels, how.input(pixels.shape[1], size[0], size[1]))
    except InvalidInput as error:
        raise archive.fail(f"{key}: {error}") from None


def _channels_first(archive: _Archive, key: str) -> Array:
    images = archive[key]
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[3] in (1, 3):
        images = np.moveaxis(images, 3, 1)
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise archive.fail(
            f"{key} must be (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels, "
            f"not {archive[key].shape}"
        )
    if not all(4 <= side <= 1024 for side in images.shape[2:]):
        raise archive.fail(f"{key}: images must be 4 to 1024 pixels a side, not {images.shape[2:]}")
    return images
