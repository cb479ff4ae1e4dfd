"""What is known of a data set before its images are read, and how a download fails clearly."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glyphscope.errors import DataMissing
from training.datasets.split import Split

DIGITS = tuple("0123456789")

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Source:
    """``read`` takes "train" or "test" and the data root. ``mirrors``: whether a mirror image is
    still one of its class. ``note``: what a reader of its figures must know."""

    labels: tuple[str, ...]
    preprocessing: str
    read: Callable[[str, Path], Split]
    mirrors: bool = False
    note: str = ""


def fetch(name: str, folder: Path, download: Callable[[str], Any], root: Path) -> None:
    """Run ``download(root)``; whatever keeps it from its files is told as one message."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        download(str(root))
    except (OSError, RuntimeError) as error:
        raise DataMissing(
            f"{name}: its files are not in {folder} and the download failed: {error}. Set "
            "GLYPHSCOPE_DATA or --data to a folder that has them, or run once with a network"
        ) from None
