"""Classifications as files of arrays: what JSON says of each image, a row an image.

    logits, probabilities    (N, classes) float32
    confidence, energy       (N,) float32
    index                    (N,) int64
    in_distribution          (N,) bool, where the checkpoint has a threshold

WRITERS: dict[media type, arrays -> bytes]
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from glyphscope.manifest import Manifest
from service.oip.outputs import declared

JSON = "application/json"
NPZ = "application/x-npz"
SAFETENSORS = "application/x-safetensors"

Arrays = Mapping[str, NDArray[Any]]


def arrays(logits: NDArray[np.float32], manifest: Manifest) -> Arrays:
    found = {name: each.values(logits, manifest) for name, each in declared(manifest).items()}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}


def npz(found: Arrays) -> bytes:
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **found)
    return out.getvalue()


def safetensors(found: Arrays) -> bytes:
    return save(dict(found))


WRITERS: dict[str, Callable[[Arrays], bytes]] = {NPZ: npz, SAFETENSORS: safetensors}
