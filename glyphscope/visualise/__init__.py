"""Activation maximisation in Lucid's split: objectives x parameters x transforms x optimise."""

from glyphscope.visualise.pictures import grid, png
from glyphscope.visualise.render import UnitImage, maximise
from glyphscope.visualise.request import MaximisationRequest, Regularisers, digest, resolve

__all__ = [
    "MaximisationRequest",
    "Regularisers",
    "UnitImage",
    "digest",
    "grid",
    "maximise",
    "png",
    "resolve",
]
