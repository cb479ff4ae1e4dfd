"""Ours and its rivals: name -> (checkpoint, layer, units, seeds) -> uint8 (units, seeds, C, H, W).

All but torch-lucent run in our own loop, so they differ in their method alone; and all are measured
on the bytes that would be served.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from glyphscope.checkpoint import Checkpoint
from glyphscope.picture import Pixels
from glyphscope.visualise import MaximisationRequest, maximise

Draw = Callable[[Checkpoint, str, Sequence[int], Sequence[int]], Pixels]

OURS = "default"

_FREE = {"l2": 0, "total_variation": 0}
_PILOT = {"learning_rate": 0.1, "ground": -1.0, "start": 0.01, "steps": 128, "preset": "lucid"}

REQUESTS: dict[str, Mapping[str, object]] = {
    OURS: {},
    "naive pixels": _PILOT | {"parameterisation": "pixels", "transforms": "none"},
    "pixels + TV + small warps": _PILOT
    | {
        "parameterisation": "pixels",
        "transforms": "small",
        "regularisers": {"l2": 0.1, "total_variation": 0.2},
    },
    "Fourier + small warps": _PILOT | {"parameterisation": "fourier", "transforms": "small"},
    "MaCo, affine": {"preset": "maco"},
    "blur every 4 steps": {"preset": "yosinski2015"},
}


def ours(request: Mapping[str, object]) -> Draw:
    """A method of our own loop, by what its request asks for."""

    def draw(
        checkpoint: Checkpoint, layer: str, units: Sequence[int], seeds: Sequence[int]
    ) -> Pixels:
        found = []
        for seed in seeds:
            wanted = {**request, "layer": layer, "units": tuple(units), "seed": seed}
            images = maximise(checkpoint, MaximisationRequest.model_validate(wanted))
            found.append(np.stack([image.pixels for image in images]))
        return np.stack(found, axis=1)

    return draw


METHODS: dict[str, Draw] = {name: ours(request) for name, request in REQUESTS.items()}
