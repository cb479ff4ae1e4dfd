"""The data set images that drive a unit most: ``examples.safetensors``.

<layer>.activations   (units, k) float32, falling; over a feature map the highest position counts
<layer>.indices       (units, k) int32, which image of the test set
<layer>.positions     (units, k, 2) int32, row and column of that position; spatial layers only

Their pixels are in ``example_images``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors import torch as tensors
from torch import Tensor

from glyphscope.activations import listen
from glyphscope.errors import BrokenCheckpoint
from glyphscope.manifest import EXAMPLES
from glyphscope.networks import Network

KEPT = 9


@dataclass(frozen=True)
class Example:
    """``index``: of which test image. ``position``: row and column on the layer's map, or None."""

    index: int
    activation: float
    position: tuple[int, int] | None


@dataclass(frozen=True)
class Examples:
    values: dict[str, Tensor]

    def maximum(self, layer: str, unit: int) -> float | None:
        """The highest activation over the test set; None for a layer that was not recorded."""
        found = self.values.get(f"{layer}.activations")
        return None if found is None else float(found[unit, 0])

    def unit(self, layer: str, unit: int) -> tuple[Example, ...]:
        """Falling in activation; empty for a layer that was not recorded."""
        if f"{layer}.activations" not in self.values:
            return ()
        activations = self.values[f"{layer}.activations"][unit].tolist()
        indices = self.values[f"{layer}.indices"][unit].tolist()
        positions = self.values.get(f"{layer}.positions")
        places = [None] * len(indices) if positions is None else positions[unit].tolist()
        return tuple(
            Example(index, activation, None if place is None else (place[0], place[1]))
            for index, activation, place in zip(indices, activations, places, strict=True)
        )


@dataclass
class Highest:
    """Streaming top ``KEPT`` of every unit, in memory of one batch."""

    values: dict[str, Tensor] = field(default_factory=dict)

    def add(self, layer: str, output: Tensor, first: int) -> None:
        """``output``: (N, units) or (N, C, H, W) of the images from number ``first`` on."""
        _merge(self.values, layer, output, first)

    def tensors(self) -> dict[str, Tensor]:
        return {key: value.contiguous() for key, value in self.values.items()}


def collect(
    network: Network, batches: Iterable[Tensor], layers: Sequence[str]
) -> dict[str, Tensor]:
    """One pass over normalised images (N, C, H, W)."""
    best, first = Highest(), 0
    with torch.inference_mode(), listen(network, layers) as heard:
        for batch in batches:
            network(batch)
            for layer in layers:
                best.add(layer, heard[layer], first)
            first += len(batch)
    return best.tensors()


def read(folder: Path) -> Examples:
    """Empty where the checkpoint has none."""
    return Examples(read_tensors(folder / EXAMPLES))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Empty where there is no such file: checkpoints published before it was written have none."""
    if not path.exists():
        return {}
    try:
        return tensors.load_file(path)
    except (SafetensorError, OSError) as error:
        raise BrokenCheckpoint(f"{path.name} cannot be read: {error}") from None


def strongest(output: Tensor) -> Tensor:
    """(N, units) or (N, C, H, W) -> (N, units) float32: the highest position of each map."""
    if output.ndim == 2:
        return output.float()
    # Positions outside, channels inside: the order that channels-last maps lie in memory.
    return output.permute(0, 2, 3, 1).flatten(1, 2).amax(1).float()


def _merge(best: dict[str, Tensor], layer: str, output: Tensor, first: int) -> None:
    values = strongest(output).T
    indices = torch.arange(first, first + len(output), dtype=torch.int32).expand_as(values)
    before = 0
    if f"{layer}.activations" in best:
        before = best[f"{layer}.activations"].shape[1]
        values = torch.cat([best[f"{layer}.activations"], values], 1)
        indices = torch.cat([best[f"{layer}.indices"], indices], 1)
    # A stable sort: of equal activations the earlier image stays, whatever the batch size.
    order = values.argsort(dim=1, descending=True, stable=True)[:, :KEPT]
    best[f"{layer}.activations"] = values.gather(1, order)
    best[f"{layer}.indices"] = indices.gather(1, order)
    if output.ndim == 4:
        old = best.get(f"{layer}.positions")
        best[f"{layer}.positions"] = _positions(output, order - before, old)


def _positions(output: Tensor, order: Tensor, old: Tensor | None) -> Tensor:
    """Rows and columns (units, k, 2): of the newcomers by looking, of the others (``order`` < 0)
    out of ``old``."""
    found = torch.zeros(*order.shape, 2, dtype=torch.int32)
    if old is not None:
        kept = (order + old.shape[1]).clamp(0, old.shape[1] - 1)
        found = old.gather(1, kept[:, :, None].expand(-1, -1, 2))
    units, ranks = (order >= 0).nonzero(as_tuple=True)
    flat = output[order[units, ranks], units].flatten(1).argmax(1)
    width = output.shape[3]
    found[units, ranks] = torch.stack([flat // width, flat % width], 1).int()
    return found
