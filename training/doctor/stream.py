"""The data as it came by: labels in their order, a fingerprint and a small copy of each image."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

KEPT = 2000
"""Small copies for the probe of the labels; more would change nothing."""

SHOWN = 16
_HASHED = 4096
_SIDE = 8


@dataclass
class Stream:
    """``first_right``: of the images seen for the first time, how many the network then knew."""

    labels: list[int] = field(default_factory=list)
    prints: dict[bytes, int] = field(default_factory=dict)
    """Fingerprint -> place in the stream where it came first."""
    small: list[Tensor] = field(default_factory=list)
    small_labels: list[int] = field(default_factory=list)
    shown: list[Tensor] = field(default_factory=list)
    first_seen: int = 0
    first_right: int = 0
    batches: list[Tensor] = field(default_factory=list)
    """Whole batches, only where they are few enough to be kept: those of a validation set."""

    def add(self, inputs: Tensor, labels: Tensor, right: Tensor | None = None) -> None:
        keys, start = fingerprints(inputs), len(self.labels)
        new = [i for i, key in enumerate(keys) if key not in self.prints]
        self.prints |= {keys[i]: start + i for i in reversed(new)}
        self.labels += labels.tolist()
        self.first_seen += len(new)
        if right is not None:
            self.first_right += int(right.cpu()[new].sum())
        room = new[: KEPT - len(self.small)]
        if room:
            self.small += list(shrunk(inputs[room]))
            self.small_labels += [self.labels[start + i] for i in room]
            self.shown += [
                image.detach().cpu() for image in inputs[room][: SHOWN - len(self.shown)]
            ]

    def knows_all(self, inputs: Tensor) -> bool:
        return all(key in self.prints for key in fingerprints(inputs))


def fingerprints(inputs: Tensor) -> list[bytes]:
    """Equal images, equal bytes. Of large images evenly spaced values are taken."""
    flat = inputs.detach().reshape(len(inputs), -1)
    step = max(1, flat.shape[1] // _HASHED)
    rows = flat[:, ::step].float().cpu().contiguous().numpy()
    return [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows]


def shrunk(inputs: Tensor) -> Tensor:
    """(N, features) on the CPU: pictures as at most 8x8 a channel, vectors as at most 256 means."""
    x = inputs.detach().float().cpu()
    if x.dim() >= 4:
        pooled = functional.adaptive_avg_pool2d(x, min(_SIDE, x.shape[-1]))
        return pooled.flatten(1)
    flat = x.flatten(1)
    return functional.adaptive_avg_pool1d(flat[:, None], min(256, flat.shape[1]))[:, 0]


def label_probe(stream: Stream) -> tuple[float, float, int]:
    """(accuracy, chance, n): ridge regression on half of the small copies, judged on the rest.

    It asks one thing: can these labels be told from these images at all, better than by always
    naming the commonest class?
    """
    x, y = torch.stack(stream.small).double(), torch.tensor(stream.small_labels)
    x = (x - x.mean(0)) / x.std(0).clamp(min=1e-6)
    half = torch.arange(len(y)) % 2 == 0
    classes = int(y.max()) + 1
    a, target = x[half], functional.one_hot(y[half], classes).double()
    bias = target.mean(0)
    ridge = a.T @ a + 0.1 * len(a) * torch.eye(x.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(ridge, a.T @ (target - bias))
    right = (x[~half] @ weights + bias).argmax(1) == y[~half]
    chance = float(np.bincount(y[~half].numpy()).max()) / len(right)
    return float(right.double().mean()), chance, len(right)
