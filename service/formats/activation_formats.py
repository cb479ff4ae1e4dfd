"""Activations -> bytes: JSON, npz, safetensors, or a picture.

WRITERS: dict[format, (layer -> (N, ...) float32) -> (bytes, media type)]
sheet(layer -> (N, ...), whose range the colours span) -> (PNG, media type)
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glyphscope.visualise import grid, png
from service.formats import tensor_files

if TYPE_CHECKING:
    from torch import Tensor

Values = NDArray[np.float32]
Maps = Mapping[str, Values]

STATISTICS = ("min", "max", "mean", "std")

_GAP = 128
"""Grey between the sheets of two layers, as between the pictures of one."""

_LEGIBLE = 6
"""Pixels: a smaller map is enlarged to about this much before it goes on a sheet."""


def maps(activations: "Tensor") -> Values:
    """All of it, contiguous whatever the memory format was."""
    return np.ascontiguousarray(activations.float().cpu().numpy())


def statistics(activations: "Tensor") -> Values:
    """(N, units, H, W) or (N, units) -> (N, units, 4), as ``STATISTICS``; std of a population."""
    import torch  # here: only what was heard comes by

    flat = activations.float().flatten(2) if activations.ndim > 2 else activations[:, :, None]
    low, high = flat.aminmax(dim=2)
    columns = [low, high, flat.mean(2), flat.std(2, correction=0)]
    return torch.stack(columns, dim=2).cpu().numpy()


def npz(found: Maps) -> tuple[bytes, str]:
    return tensor_files.npz(found), "application/x-npz"


def safetensors(found: Maps) -> tuple[bytes, str]:
    return tensor_files.safetensors(found), "application/x-safetensors"


def sheet(found: Maps, shared: str = "layer") -> tuple[bytes, str]:
    """Every channel of the first image, layer under layer, each from the darkest to the lightest
    value of what shares its range: the ``unit``, the ``layer`` or the ``network``."""
    first = [np.nan_to_num(values[0]) for values in found.values()]
    whole = min(v.min() for v in first), max(v.max() for v in first)
    sheets = [_sheet(_scaled(values, shared, whole)) for values in first]
    width = max(each.shape[2] for each in sheets)
    rows: list[NDArray[np.uint8]] = []
    for each in sheets:
        gap = np.full((1, 2, width), _GAP, np.uint8)
        right = np.full((1, each.shape[1], width - each.shape[2]), _GAP, np.uint8)
        rows += [gap, np.concatenate([each, right], axis=2)]
    return png(np.concatenate(rows[1:], axis=1)), "image/png"


WRITERS: dict[str, Callable[[Maps], tuple[bytes, str]]] = {"npz": npz, "safetensors": safetensors}
"""A picture also needs to know whose range its colours span: ``sheet``."""


def numbers(values: Values, kind: str) -> dict[str, Values]:
    """For JSON: {"maps": (N, ...)}, or one (N, units) a statistic."""
    if kind == "maps":
        return {"maps": values}
    return {name: np.ascontiguousarray(values[:, :, i]) for i, name in enumerate(STATISTICS)}


def _sheet(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    tiles = pixels if pixels.ndim == 3 else pixels[:, None, None]
    enlarge = max(1, _LEGIBLE // max(tiles.shape[1:]))
    return grid([tile[None].repeat(enlarge, axis=1).repeat(enlarge, axis=2) for tile in tiles])


def _scaled(values: Values, shared: str, whole: tuple[float, float]) -> NDArray[np.uint8]:
    """(units, ...) -> the same as bytes."""
    low, high = _range(values, shared, whole)
    extent = np.where(high > low, high - low, 1.0)
    pixels: NDArray[np.uint8] = np.rint((values - low) / extent * 255).astype(np.uint8)
    return pixels


def _range(values: Values, shared: str, whole: tuple[float, float]) -> tuple[Any, Any]:
    if shared == "network":
        return whole
    # A flat layer's unit is one number: alone it has no range.
    axes = tuple(range(1, values.ndim)) if shared == "unit" and values.ndim > 1 else None
    return values.min(axes, keepdims=True), values.max(axes, keepdims=True)
