"""Activation maximisation in Lucid's split: objectives x parameters x transforms x optimise.

What draws needs PyTorch and is imported with its first use; what only says what to draw is not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glyphscope.visualise.knobs import Regularisers, Settings, Warp
from glyphscope.visualise.pictures import grid, png
from glyphscope.visualise.presets import PRESETS, WARPS, Preset
from glyphscope.visualise.request import MaximisationRequest, digest, resolve, settings_of
from glyphscope.visualise.terms import Term

if TYPE_CHECKING:
    from glyphscope.visualise.render import maximise
    from glyphscope.visualise.scores import Score, score
    from glyphscope.visualise.unit_image import UnitImage

__all__ = [
    "PRESETS",
    "WARPS",
    "MaximisationRequest",
    "Preset",
    "Regularisers",
    "Score",
    "Settings",
    "Term",
    "UnitImage",
    "Warp",
    "digest",
    "grid",
    "maximise",
    "png",
    "resolve",
    "score",
    "settings_of",
]

_DRAWING = {
    "Score": "scores",
    "UnitImage": "unit_image",
    "maximise": "render",
    "score": "scores",
}


def __getattr__(name: str) -> Any:
    if name not in _DRAWING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_DRAWING[name]}"), name)
    globals()[name] = found
    return found
