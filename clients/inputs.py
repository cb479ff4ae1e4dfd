"""What is to be looked at, in the four ways that the service takes it.

images    files or bytes: PNG, JPEG, WebP
strokes   drawings: each a list of strokes, each a list of [x, y], y down, in any unit
pixels    images as nested lists: integers 0..255 or fractions 0..1
array     numpy, (N, H, W) or (N, C, H, W), integers 0..255 or fractions 0..1
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

Image = bytes | str | os.PathLike[str]
"""The bytes of a picture, or the path of its file."""

Strokes = Sequence[Sequence[Sequence[float]]]

KINDS = ("images", "strokes", "pixels", "array")


class Inputs(TypedDict, total=False):
    """Exactly one of these."""

    images: Sequence[Image]
    strokes: Sequence[Strokes]
    pixels: Sequence[Sequence[Any]]
    array: NDArray[Any]


def request_arguments(inputs: Inputs) -> dict[str, Any]:
    """What httpx is given to send them. Raises ``ValueError`` unless exactly one kind is there."""
    given = [kind for kind in KINDS if inputs.get(kind) is not None]
    if len(given) != 1 or len(inputs) != 1:
        found = ", ".join(inputs) or "none"
        raise ValueError(f"give exactly one of {', '.join(KINDS)}, not {found}")
    if "images" in inputs:
        return {"files": [("file", _part(image)) for image in _listed(inputs["images"])]}
    if "strokes" in inputs:
        return {"json": {"inputs": [{"strokes": one} for one in inputs["strokes"]]}}
    if "pixels" in inputs:
        return {"json": {"inputs": [{"pixels": one} for one in inputs["pixels"]]}}
    return {"content": _npy(inputs["array"]), "headers": {"Content-Type": "application/x-npy"}}


def _listed(images: Sequence[Image]) -> Sequence[Image]:
    """A single image is one of the likeliest slips, and as a sequence of bytes it would go far."""
    if isinstance(images, str | bytes | os.PathLike):
        raise ValueError("images must be a list, even of one image")
    if not images:
        raise ValueError("images is empty: give at least one")
    return images


def _part(image: Image) -> tuple[str, bytes, str]:
    if isinstance(image, bytes):
        return "image", image, "application/octet-stream"
    path = Path(image)
    return path.name, path.read_bytes(), "application/octet-stream"


def _npy(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()
