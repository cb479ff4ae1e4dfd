"""SVHN (Netzer et al. 2011), format 2: house numbers cropped to 32x32 RGB, in .mat files.

``X`` is (H, W, C, N) uint8 and ``y`` (N, 1); label 10 means the digit 0. Neighbouring digits stay
in the picture, and are not the answer.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import io  # type: ignore[import-untyped]
from scipy.io.matlab import MatReadError  # type: ignore[import-untyped]

from glyphscope.errors import DataMissing
from training import vision
from training.datasets.source import DIGITS, Source, fetch
from training.datasets.split import Split, from_arrays


def read(split: str, root: Path) -> Split:
    """``split``: "train", "test" or "extra"."""
    folder = root / "SVHN"
    path = folder / f"{split}_32x32.mat"
    if not path.is_file():

        def download(_: str) -> Any:
            return vision.module("datasets").SVHN(str(folder), split=split, download=True)

        fetch("svhn", folder, download, folder)
    return read_mat(path)


def with_extra(split: str, root: Path) -> Split:
    """The 531,131 easier "extra" images count as training images too, as its authors meant it."""
    found = read(split, root)
    if split != "train":
        return found
    extra = read("extra", root)
    return Split(torch.cat([found.images, extra.images]), torch.cat([found.labels, extra.labels]))


def read_mat(path: Path) -> Split:
    try:
        found = io.loadmat(path, variable_names=("X", "y"))
        images, labels = found["X"], found["y"].reshape(-1).astype(np.int64)
    except (MatReadError, OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise DataMissing(f"{path} cannot be read as SVHN's .mat: {error}") from None
    if images.ndim != 4 or images.shape[2] != 3 or images.dtype != np.uint8:
        raise DataMissing(
            f"{path}: X must be uint8 (H, W, 3, N), not {images.dtype} {images.shape}"
        )
    if images.shape[3] != len(labels) or not len(labels):
        raise DataMissing(f"{path}: {images.shape[3]} images but {len(labels)} labels")
    if labels.min() < 1 or labels.max() > 10:
        raise DataMissing(f"{path}: labels must be 1 to 10, where 10 means the digit 0")
    return from_arrays(images.transpose(3, 2, 0, 1), labels % 10)


SVHN_SOURCES: dict[str, Source] = {
    "svhn": Source(DIGITS, "picture", read),
    "svhn-extra": Source(
        DIGITS,
        "picture",
        with_extra,
        note="the training images are SVHN's train and extra splits together",
    ),
}
