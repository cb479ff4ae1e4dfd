"""A forward pass that is listened to."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glyphscope.activations import listen
from glyphscope.checkpoint import Checkpoint
from glyphscope.preprocess import Pixels, to_tensor
from service.inference.batcher import PIECE

Values = NDArray[np.float32]
Keep = Callable[[Tensor], Values]
"""(n, ...) of one layer -> one row an image"""


def hear(
    checkpoint: Checkpoint, pixels: Pixels, layers: Sequence[str], keep: Keep
) -> dict[str, Values]:
    kept: dict[str, list[Values]] = {layer: [] for layer in layers}
    with torch.inference_mode(), listen(checkpoint.network, layers) as heard:
        for x in _chunks(checkpoint, pixels):
            checkpoint.network(x)
            for layer in layers:
                kept[layer].append(keep(heard[layer]))
    return {layer: _joined(parts) for layer, parts in kept.items()}


def _joined(parts: list[Values]) -> Values:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _chunks(checkpoint: Checkpoint, pixels: Pixels) -> Iterator[Tensor]:
    for i in range(0, len(pixels), PIECE):
        yield to_tensor(pixels[i : i + PIECE], checkpoint.manifest.input, checkpoint.device)
