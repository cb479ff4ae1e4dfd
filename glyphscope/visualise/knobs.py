"""Every knob of a maximisation but what is maximised, as frozen data.

    Settings       all of them, with values: what a preset holds and what a picture is made by
    Regularisers   weights of what a picture is charged for
    Warp           sizes of the random changes before each look of the network

Lengths are shares of the image's side, or pixels of a side of 28, so one setting serves 28 pixels
as well as 224.
"""

from typing import Annotated, Literal

from pydantic import Field, Tag

from glyphscope.spec import Frozen

Finite = Field(allow_inf_nan=False)
Weight = Annotated[float, Field(ge=0, le=1000), Finite]
Pixels28 = Annotated[float, Field(ge=0, le=8, description="pixels of a side of 28"), Finite]
Share = Annotated[float, Field(ge=0, le=0.5), Finite]

Parameterisation = Literal["fourier", "maco", "natural", "pixels", "pyramid", "raw"]
Optimiser = Literal["adam", "ascent"]
Schedule = Literal["flat", "cosine"]
Steps = Annotated[int, Field(ge=1, le=4096)]
Rate = Annotated[float, Field(gt=0, le=10), Finite]
Ground = Annotated[float, Field(ge=-8, le=8), Finite]
Start = Annotated[float, Field(ge=0, le=10), Finite]
Redirect = Annotated[int, Field(ge=0, le=4096)]
Patience = Annotated[int, Field(ge=0, le=256)]


NAME, VALUE = Tag("[name]"), Tag("[value]")


def named_or_given(value: object) -> str:
    """Of two ways to say a thing, the one that was meant: its errors alone are told."""
    return NAME.tag if isinstance(value, str) else VALUE.tag


class Warp(Frozen):
    """At most so much, evenly spread: ``jitter`` as a share of the side (the ground comes in, as
    if the image were padded), ``degrees`` either way, ``scale`` as a share of 1."""

    jitter: Share = 0.0
    degrees: Annotated[float, Field(ge=0, le=180), Finite] = 0.0
    scale: Share = 0.0


class Regularisers(Frozen):
    """Against a gradient of root mean square 1. What is not given is the preset's, or 0.

    ``l2`` and ``l1`` charge for light, ``total_variation`` for edges. Every ``blur_every`` steps
    the picture is blurred with a radius that goes from ``blur`` to ``blur_end``. ``norm`` holds the
    root mean square of what is optimised; 0 lets it free. Blur and norm need pixels to work on:
    the parameterisation "natural", "raw" or "pixels". ``prior`` pulls towards what an image of the
    data set could be.
    """

    l2: Weight | None = None
    l1: Weight | None = None
    total_variation: Weight | None = None
    prior: Weight | None = None
    blur: Pixels28 | None = None
    blur_end: Pixels28 | None = None
    blur_every: Annotated[int, Field(ge=0, le=4096)] | None = None
    norm: Annotated[float, Field(ge=0, le=1), Finite] | None = None

    def over(self, base: "Regularisers") -> "Regularisers":
        """Every weight a number: of this where it is given, else of ``base``, else 0."""
        names = type(self).model_fields
        given = {name: _first(getattr(self, name), getattr(base, name)) for name in names}
        return Regularisers.model_validate(given)


class Settings(Frozen):
    """``start``: standard deviation of the first numbers. ``ground``: added before the sigmoid, so
    how dark the start is. ``redirect``: steps in which blocked gradients pass dead ReLUs.
    ``patience``: a picture is left alone after so many looks without a better one; 0 is never."""

    parameterisation: Parameterisation
    decorrelate: bool = True
    start: Start = 0.01
    ground: Ground = 0.0
    optimiser: Optimiser = "adam"
    learning_rate: Rate
    schedule: Schedule = "flat"
    steps: Steps
    transforms: Warp = Warp()
    regularisers: Regularisers = Regularisers()
    redirect: Redirect = 16
    patience: Patience = 0


def _first(*values: float | None) -> float:
    return next((value for value in values if value is not None), 0)
