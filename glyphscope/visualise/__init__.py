"""Activation maximisation in Lucid's split: objectives x parameters x transforms x optimise."""

from glyphscope.visualise.knobs import Regularisers, Settings, Warp
from glyphscope.visualise.pictures import grid, png
from glyphscope.visualise.presets import PRESETS, WARPS, Preset
from glyphscope.visualise.render import maximise
from glyphscope.visualise.request import MaximisationRequest, digest, resolve, settings_of
from glyphscope.visualise.scores import Score, score
from glyphscope.visualise.terms import Term
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
