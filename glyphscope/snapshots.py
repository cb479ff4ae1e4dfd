"""The network as it was at epochs of its training: ``snapshots.safetensors``.

<epoch>/<parameter>   as in model.safetensors; what has two dimensions or more in half precision

Epoch 0 is before the first step. Only a version whose run kept snapshots has it.

    pack(weights by epoch)   -> the file's tensors, of as many epochs as fit
    Snapshots(path)          weights by epoch, each read when it is asked for
    at(checkpoint, epoch)    -> the checkpoint as it was then
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from glyphscope.errors import BrokenCheckpoint, NotFound
from glyphscope.examples import Examples
from glyphscope.manifest import SNAPSHOTS
from glyphscope.networks import build, place
from glyphscope.statistics import Statistics

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint

MOST = 12
"""Epochs; more do not fit a row of pictures that can be read."""

BUDGET = 16 * 2**20
"""Bytes of the file: a dozen epochs of the shipped networks take 10 MiB, two of a ResNet50 90."""

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Snapshots(Mapping[int, Weights]):
    """Empty for a version that was published without: then ``path`` is None."""

    path: Path | None = None

    def __getitem__(self, epoch: int) -> dict[str, Tensor]:
        if epoch not in self._names:
            raise KeyError(epoch)
        with self._open() as file:
            return {name: file.get_tensor(f"{epoch}/{name}") for name in self._names[epoch]}

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)

    @cached_property
    def _names(self) -> dict[int, list[str]]:
        """Parameters by epoch. The manifest's hash holds the file, so its names are as packed."""
        if self.path is None:
            return {}
        found: dict[int, list[str]] = {}
        with self._open() as file:
            for key in file.keys():  # noqa: SIM118 - no mapping, though it looks like one
                epoch, _, name = key.partition("/")
                found.setdefault(int(epoch), []).append(name)
        return found

    def _open(self) -> Any:
        try:
            return safe_open(self.path, "pt")
        except (SafetensorError, OSError) as error:
            raise BrokenCheckpoint(f"{SNAPSHOTS} cannot be read: {error}") from None


def read(folder: Path) -> Snapshots:
    path = folder / SNAPSHOTS
    return Snapshots(path if path.exists() else None)


def pack(weights: Mapping[int, Weights]) -> dict[str, Tensor]:
    """Empty where not even two epochs fit."""
    packed = {epoch: _packed(weights[epoch]) for epoch in weights}
    largest = max((_bytes(one) for one in packed.values()), default=0)
    most = min(MOST, BUDGET // max(largest, 1))
    return {
        f"{epoch}/{name}": value
        for epoch in chosen(sorted(packed), most)
        for name, value in packed[epoch].items()
    }


def chosen(epochs: Sequence[int], most: int) -> list[int]:
    """The first, the last, and between them more of the early ones: that is when most happens."""
    if len(epochs) <= most:
        return list(epochs) if most > 1 else []
    if most < 2:
        return []
    last = len(epochs) - 1
    places = [round(((last + 1) ** (i / (most - 1))) - 1) for i in range(most)]
    for i in range(1, most):  # no two alike: at the beginning the steps are less than one
        places[i] = max(places[i], places[i - 1] + 1)
    return [epochs[place] for place in places]


def at(checkpoint: "Checkpoint", epoch: int) -> "Checkpoint":
    """With no facts of the test set, which are of the finished network.

    Raises ``NotFound`` for an epoch that the version does not carry.
    """
    if epoch not in checkpoint.snapshots:
        raise NotFound(f"epoch of {checkpoint.manifest.ref}", epoch, list(checkpoint.snapshots))
    return with_weights(checkpoint, checkpoint.snapshots[epoch], epoch)


def with_weights(checkpoint: "Checkpoint", weights: Weights, epoch: int) -> "Checkpoint":
    """``epoch`` is for the message of a ``BrokenCheckpoint`` where they do not fit."""
    network = build(checkpoint.manifest.network)
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise BrokenCheckpoint(f"the snapshot of epoch {epoch} does not fit: {reason}") from None
    network.eval().requires_grad_(False)
    return replace(
        checkpoint,
        network=place(network, checkpoint.device),
        examples=Examples({}),
        statistics=Statistics(),
        embedding=None,
        snapshots=Snapshots(),
    )


def _packed(weights: Weights) -> dict[str, Tensor]:
    return {
        name: (value.half() if value.ndim > 1 and value.is_floating_point() else value).contiguous()
        for name, value in weights.items()
    }


def _bytes(weights: Weights) -> int:
    return sum(value.numel() * value.element_size() for value in weights.values())
