"""The data set images that drive a unit most: ``examples.safetensors``.

<layer>.activations   (units, k) float32, falling; over a feature map the highest position counts
<layer>.indices       (units, k) int32, which image of the test set
<layer>.positions     (units, k, 2) int32, row and column of that position; spatial layers only
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
class Examples:
    values: dict[str, Tensor]

    def maximum(self, layer: str, unit: int) -> float | None:
        """The highest activation over the test set; None for a layer that was not recorded."""
        found = self.values.get(f"{layer}.activations")
        return None if found is None else float(found[unit, 0])


def collect(
    network: Network, batches: Iterable[Tensor], layers: Sequence[str]
) -> dict[str, Tensor]:
    """Streaming top ``KEPT`` over normalised images (N, C, H, W), in memory of one batch."""
    best: dict[str, Tensor] = {}
    first = 0
    with torch.inference_mode(), listen(network, layers) as heard:
        for batch in batches:
            network(batch)
            for layer in layers:
                _merge(best, layer, heard[layer], first)
            first += len(batch)
    return {key: value.contiguous() for key, value in best.items()}


def read(folder: Path) -> Examples:
    """Empty where the checkpoint has none."""
    path = folder / EXAMPLES
    if not path.exists():
        return Examples({})
    try:
        return Examples(tensors.load_file(path))
    except (SafetensorError, OSError) as error:
        raise BrokenCheckpoint(f"{path.name} cannot be read: {error}") from None


def _merge(best: dict[str, Tensor], layer: str, output: Tensor, first: int) -> None:
    values, positions = output.float(), None
    if output.ndim == 4:
        values, flat = values.flatten(2).max(2)
        width = output.shape[3]
        positions = torch.stack([flat // width, flat % width], 2).transpose(0, 1).int()
    values = values.T
    indices = torch.arange(first, first + len(output), dtype=torch.int32).expand_as(values)
    if f"{layer}.activations" in best:
        values = torch.cat([best[f"{layer}.activations"], values], 1)
        indices = torch.cat([best[f"{layer}.indices"], indices], 1)
        if positions is not None:
            positions = torch.cat([best[f"{layer}.positions"], positions], 1)
    # A stable sort: of equal activations the earlier image stays, whatever the batch size.
    order = values.argsort(dim=1, descending=True, stable=True)[:, :KEPT]
    best[f"{layer}.activations"] = values.gather(1, order)
    best[f"{layer}.indices"] = indices.gather(1, order)
    if positions is not None:
        best[f"{layer}.positions"] = positions.gather(1, order[:, :, None].expand(-1, -1, 2))
