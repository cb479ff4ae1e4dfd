"""A unit over the snapshots of a training: what it weighs, what it answers, what it likes.

    stages(checkpoint, snapshots)                 the network at each epoch, as a checkpoint
    evolve(checkpoint, snapshots, layer, unit, pixels)   one unit at each epoch

``snapshots``: weights by epoch, as a run with ``fit.snapshots`` keeps them, or as a published
version carries them (``checkpoint.snapshots``); epoch 0 is before the first step.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glyphscope.activations import activations, layer_module
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import NotFound
from glyphscope.examples import strongest
from glyphscope.picture import Pixels
from glyphscope.preprocess import to_tensor
from glyphscope.snapshots import with_weights
from glyphscope.visualise import MaximisationRequest, UnitImage, maximise

Snapshots = Mapping[int, Mapping[str, Tensor]]


@dataclass(frozen=True)
class Stage:
    """``weights``: the unit's own, (channels, height, width) of a convolution or (inputs,) of a
    dense layer; None of a layer without. ``activations``: (N,), its highest on each image.
    ``picture``: what drives it most; None where none was asked for."""

    epoch: int
    weights: NDArray[np.float32] | None
    activations: NDArray[np.float32]
    picture: UnitImage | None


def stages(checkpoint: Checkpoint, snapshots: Snapshots) -> Iterator[tuple[int, Checkpoint]]:
    """In the order of epochs; with no facts of the test set, which are of the finished network."""
    for epoch in sorted(snapshots):
        yield epoch, with_weights(checkpoint, snapshots[epoch], epoch)


def evolve(
    checkpoint: Checkpoint,
    snapshots: Snapshots,
    layer: str,
    unit: int,
    pixels: Pixels,
    request: MaximisationRequest | None = None,
    *,
    progress: Callable[[int, int], None] = lambda stage, stages: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Stage]:
    """``pixels``: images to answer to, uint8 (N, C, H, W). ``request``: how to draw its pictures
    (its layer and units are replaced); None draws none. ``progress`` counts epochs.

    Raises ``NotFound`` for an unknown layer or unit.
    """
    layer_module(checkpoint.network, layer)
    units = {info.name: info.units for info in checkpoint.network.layers}[layer]
    if unit not in range(units):
        raise NotFound(f"unit of layer {layer}", unit, range(units))
    found = []
    for epoch, then in stages(checkpoint, snapshots):
        drawn = _picture(then, layer, unit, request, cancelled)
        found.append(stage(then, epoch, layer, unit, pixels, drawn))
        progress(len(found), len(snapshots))
    return found


def stage(
    checkpoint: Checkpoint,
    epoch: int,
    layer: str,
    unit: int,
    pixels: Pixels,
    picture: UnitImage | None = None,
) -> Stage:
    """One network's, which ``epoch`` only names."""
    x = to_tensor(pixels, checkpoint.manifest.input, checkpoint.device)
    answers = strongest(activations(checkpoint.network, x, [layer])[layer])[:, unit]
    return Stage(epoch, _weights(checkpoint, layer, unit), answers.cpu().numpy(), picture)


def _weights(checkpoint: Checkpoint, layer: str, unit: int) -> NDArray[np.float32] | None:
    weight = getattr(layer_module(checkpoint.network, layer), "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim < 2:
        return None
    own: NDArray[np.float32] = weight[unit].detach().float().cpu().contiguous().numpy()
    return own


def _picture(
    checkpoint: Checkpoint,
    layer: str,
    unit: int,
    request: MaximisationRequest | None,
    cancelled: Callable[[], bool],
) -> UnitImage | None:
    if request is None:
        return None
    wanted = request.model_copy(update={"layer": layer, "units": (unit,)})
    return maximise(checkpoint, wanted, cancelled=cancelled)[0]


def drift(found: list[Stage]) -> NDArray[np.float32]:
    """(stages,): the cosine of a unit's weights at each epoch with those at the last; NaN for a
    layer without weights."""
    if not found or found[-1].weights is None:
        return np.full(len(found), np.nan, np.float32)
    rows = torch.stack(
        [torch.from_numpy(s.weights).flatten() for s in found if s.weights is not None]
    )
    cosines = torch.cosine_similarity(rows, rows[-1:], dim=1).clamp(-1, 1)  # but for rounding
    return np.asarray(cosines.numpy(), np.float32)
