"""What units liked at epochs of the training: for an atlas of a version that carries snapshots.

epochs(checkpoint, most)                  which are shown
best_images(checkpoint, epoch, layers)    the test image that drove each unit most then
"""

from collections.abc import Iterator, Sequence

import torch

from glyphscope.activations import listen
from glyphscope.checkpoint import Checkpoint
from glyphscope.examples import strongest
from glyphscope.preprocess import to_tensor
from glyphscope.snapshots import at, chosen

_BATCH = 256


def epochs(checkpoint: Checkpoint, most: int) -> list[int]:
    return chosen(list(checkpoint.snapshots), most)


def best_images(
    checkpoint: Checkpoint, epoch: int, layers: Sequence[str]
) -> dict[str, list[tuple[int, float]]]:
    """Of ``layers``, each unit's (index, activation) at ``epoch``, over all that the version
    carries."""
    images = checkpoint.images
    if not len(images):
        return {}
    then = at(checkpoint, epoch)
    found: dict[str, list[torch.Tensor]] = {layer: [] for layer in layers}
    with torch.inference_mode(), listen(then.network, layers) as heard:
        for start in range(0, len(images), _BATCH):
            pixels = images.pixels[start : start + _BATCH]
            then.network(to_tensor(pixels, then.manifest.input, then.device))
            for layer in layers:
                found[layer].append(strongest(heard[layer]).cpu())
    indices = images.values["indices"].tolist()
    return {layer: list(_best(torch.cat(parts), indices)) for layer, parts in found.items()}


def _best(values: torch.Tensor, indices: Sequence[int]) -> Iterator[tuple[int, float]]:
    """(images, units)"""
    for value, row in zip(*(each.tolist() for each in values.max(0)), strict=True):
        yield int(indices[row]), value
