"""The test images that a checkpoint refers to, so that they can be shown without the data set.

example_images.png            a contact sheet, lossless, row by row in the order of ``indices``
example_images.safetensors
    indices                   (M,) int32, rising: their places in the test set
    labels, answers           (M,) int32: the truth, and what the network says
    confidences               (M,) float32, the answer's calibrated probability

A sheet is a fifth (MNIST) to a half (Fashion-MNIST) of its raw bytes.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from safetensors import torch as tensors
from torch import Tensor

from glyphscope.errors import BrokenCheckpoint
from glyphscope.examples import read_tensors
from glyphscope.manifest import IMAGES, SHEET
from glyphscope.spec import Shape

BUDGET = 8 * 2**20
"""Bytes of pixels before they are packed: 10,699 images of MNIST's size, 55 of ImageNet's."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class ExampleImage:
    """``label`` and ``answer`` are class numbers; ``pixels`` (C, H, W) as the network sees them."""

    index: int
    label: int
    answer: int
    confidence: float
    pixels: Pixels


@dataclass(frozen=True)
class ExampleImages:
    """Empty for a checkpoint that was published without them."""

    values: dict[str, Tensor] = field(default_factory=dict)
    sheet: bytes = b""
    shape: Shape = (1, 28, 28)

    def __len__(self) -> int:
        return len(self.values["indices"]) if self.values else 0

    def __contains__(self, index: int) -> bool:
        return index in self._rows

    def get(self, index: int) -> ExampleImage | None:
        """By its place in the test set; None where this checkpoint does not carry it."""
        row = self._rows.get(index)
        if row is None:
            return None
        return ExampleImage(
            index=index,
            label=int(self.values["labels"][row]),
            answer=int(self.values["answers"][row]),
            confidence=float(self.values["confidences"][row]),
            pixels=self.pixels[row],
        )

    @cached_property
    def pixels(self) -> Pixels:
        """(M, C, H, W), all of them; unpacked when first asked for."""
        channels, height, width = self.shape
        if not self.sheet:
            return np.zeros((0, channels, height, width), np.uint8)
        with Image.open(io.BytesIO(self.sheet), formats=("PNG",)) as picture:
            flat = np.asarray(picture).reshape(picture.height, picture.width, channels)
        rows, columns = flat.shape[0] // height, flat.shape[1] // width
        tiles = flat.reshape(rows, height, columns, width, channels).transpose(0, 2, 4, 1, 3)
        return np.ascontiguousarray(tiles.reshape(-1, *self.shape)[: len(self)])

    @cached_property
    def _rows(self) -> dict[int, int]:
        indices = self.values["indices"].tolist() if self.values else []
        return {index: row for row, index in enumerate(indices)}


def pack(
    images: Tensor, labels: Tensor, probabilities: Tensor, wanted: Iterable[Sequence[int]]
) -> dict[str, bytes]:
    """The files for a checkpoint, of a test set: uint8 (N, C, H, W), (N,) and (N, classes).

    ``wanted``: groups of image numbers, the most needed first; within ``BUDGET`` each image is
    kept once.
    """
    chosen = _chosen(wanted, most=BUDGET // images[0].numel())
    confidences, answers = probabilities[chosen].max(1)
    facts = {
        "indices": chosen.int(),
        "labels": labels[chosen].int(),
        "answers": answers.int(),
        "confidences": confidences.float(),
    }
    return {IMAGES: tensors.save(facts), SHEET: _sheet(images[chosen].numpy())}


def read(folder: Path, shape: Shape) -> ExampleImages:
    """``shape``: an image's, (C, H, W). Raises ``BrokenCheckpoint`` where the two files differ."""
    values = read_tensors(folder / IMAGES)
    if not values:
        return ExampleImages({}, b"", shape)
    sheet = (folder / SHEET).read_bytes() if (folder / SHEET).exists() else b""
    _check(sheet, len(values["indices"]), shape)
    return ExampleImages(values, sheet, shape)


def _chosen(wanted: Iterable[Sequence[int]], most: int) -> Tensor:
    kept: dict[int, None] = {}
    for group in wanted:
        for index in group:
            if len(kept) < most:
                kept[int(index)] = None
    return torch.tensor(sorted(kept), dtype=torch.long)


def _sheet(pixels: Pixels) -> bytes:
    """As square as it gets, the last row filled up with black."""
    count, channels, height, width = pixels.shape
    columns = max(1, int(np.ceil(count**0.5)))
    rows = -(-count // columns)
    tiles = np.zeros((rows * columns, channels, height, width), np.uint8)
    tiles[:count] = pixels
    grid = tiles.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    flat = grid.reshape(rows * height, columns * width, channels)
    out = io.BytesIO()
    Image.fromarray(flat[..., 0] if channels == 1 else flat).save(out, "PNG", optimize=True)
    return out.getvalue()


def _check(sheet: bytes, count: int, shape: Shape) -> None:
    try:
        with Image.open(io.BytesIO(sheet), formats=("PNG",)) as picture:
            tiles = (picture.width // shape[2]) * (picture.height // shape[1])
            mode = picture.mode
    except (UnidentifiedImageError, OSError):
        raise BrokenCheckpoint(f"{SHEET} is no PNG picture") from None
    if tiles < count or mode != ("L" if shape[0] == 1 else "RGB"):
        raise BrokenCheckpoint(f"{SHEET} does not hold the {count} images of {IMAGES}")
