"""Data sets by name, a split as two tensors: uint8 images (N, C, H, W), upright; labels (N,).

    mnist, fashion-mnist, emnist-*, cifar10*, svhn*     official files, downloaded where absent
    folder:PATH, npz:PATH                               the user's own, see ``datasets.own``

Files are read where torchvision keeps them (``ROOT/MNIST/raw/...``, plain or .gz), and torchvision
knows the addresses and hashes of what is to be downloaded.
"""

import os
from pathlib import Path

from glyphscope.errors import NotFound
from training.datasets import folder, npz
from training.datasets.cifar import CIFAR_SOURCES
from training.datasets.idx import IDX_SOURCES, MERGED, read_idx
from training.datasets.own import own
from training.datasets.source import DIGITS, SPLITS, Source
from training.datasets.split import Split, digests, hold_out
from training.datasets.svhn import SVHN_SOURCES

__all__ = [
    "DIGITS",
    "MERGED",
    "SOURCES",
    "Source",
    "Split",
    "data_root",
    "digests",
    "hold_out",
    "load",
    "read_idx",
    "source",
]

SOURCES: dict[str, Source] = {**IDX_SOURCES, **CIFAR_SOURCES, **SVHN_SOURCES}

_OWN = {"folder": folder.source, "npz": npz.source}


def source(name: str) -> Source:
    """What is known of a data set without reading its images."""
    mine = own(name)
    if mine is not None:
        return _OWN[mine.kind](mine)
    if name not in SOURCES:
        raise NotFound("data set", name, [*SOURCES, "folder:PATH", "npz:PATH"])
    return SOURCES[name]


def data_root(given: Path | None = None) -> Path:
    """``given``, else GLYPHSCOPE_DATA, else a folder in the user's cache."""
    if given is not None:
        return given
    return Path(os.environ.get("GLYPHSCOPE_DATA") or Path.home() / ".cache/glyphscope/data")


def load(name: str, split: str, root: Path) -> Split:
    """``split`` is "train" or "test". Raises ``DataMissing`` where it is not to be had."""
    found = source(name)
    if split not in SPLITS:
        raise NotFound(f"split of data set {name}", split, SPLITS)
    return found.read(split, root)
