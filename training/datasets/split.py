"""A split as two tensors, and how one is divided: at random by seed, or by what the images show."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glyphscope.errors import DataMissing


@dataclass(frozen=True)
class Split:
    """``images``: uint8 (N, C, H, W), upright. ``labels``: int64 (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> "Split":
        return Split(self.images[index], self.labels[index])

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), self.labels.to(device))


def from_arrays(images: NDArray[Any], labels: NDArray[Any]) -> Split:
    """``images`` (N, C, H, W) in any memory order."""
    return Split(
        torch.from_numpy(np.require(images, np.uint8, ["C", "W"])),
        torch.from_numpy(labels.astype(np.int64)),
    )


def hold_out(train: Split, count: float, seed: int) -> tuple[Split, Split]:
    """(rest, validation): every class gives its share, drawn by ``seed``, never by position.

    ``count`` below 1 is a share of the images.
    """
    wanted = round(count * len(train)) if count < 1 else int(count)
    if not 0 < wanted < len(train):
        raise DataMissing(
            f"cannot hold {wanted} of {len(train)} images out for validation; set split.validation "
            "to fewer, or to a share such as 0.1"
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(train), generator=generator)
    # A stable sort by class keeps the drawn order inside each class; every n-th is then held out.
    by_class = order[torch.argsort(train.labels[order], stable=True)]
    picks = torch.linspace(0, len(train) - 1, wanted).round().long()
    held = torch.zeros(len(train), dtype=torch.bool)
    held[by_class[picks]] = True
    return train.take(torch.nonzero(~held)[:, 0]), train.take(torch.nonzero(held)[:, 0])


def digests(images: Tensor) -> list[bytes]:
    """Equal for images with equal pixels, and (16 bytes of BLAKE2) for no others."""
    flat = np.ascontiguousarray(images.flatten(1).numpy())
    return [hashlib.blake2b(image.data, digest_size=16).digest() for image in flat]


def divide(whole: Split, share: float) -> tuple[Split, Split]:
    """(train, test) where the data has no test split of its own: ``share`` of each class's
    different images, chosen by their pixels. So names and order do not matter, nothing is drawn
    anew, and equal images land on one side, whatever their labels."""
    found = digests(whole.images)
    classes: dict[int, set[bytes]] = defaultdict(set)
    for label, digest in zip(whole.labels.tolist(), found, strict=True):
        classes[label].add(digest)
    chosen: set[bytes] = set()
    for different in classes.values():
        wanted = max(1, round(share * len(different))) if len(different) > 1 else 0
        chosen.update(sorted(different)[:wanted])
    test = torch.tensor([digest in chosen for digest in found])
    return whole.take(torch.nonzero(~test)[:, 0]), whole.take(torch.nonzero(test)[:, 0])
