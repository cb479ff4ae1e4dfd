"""Maximisation methods by name, as data. Numbers of a method stand here and nowhere else.

PRESETS: dict[name, Preset]   what a request's ``preset`` may be; single knobs of it can be turned
WARPS: dict[name, Warp]       what its ``transforms`` may be, besides sizes of its own

The methods of the papers were made for photos of 224 pixels and for other step rules: here each
keeps its idea, with lengths scaled to the side and rates to a gradient of root mean square 1.
"""

from typing import Annotated

from pydantic import Field

from glyphscope.errors import NotFound
from glyphscope.spec import Frozen
from glyphscope.visualise.knobs import Regularisers, Settings, Warp


class Preset(Frozen):
    """``paper`` is what the method was described in, empty where it is our own."""

    description: Annotated[str, Field(min_length=1)]
    paper: str = ""
    settings: Settings


WARPS: dict[str, Warp] = {
    "none": Warp(),
    "small": Warp(jitter=2 / 28, degrees=5, scale=0.05),
    # Lucid's standard transforms at 224 pixels: jitter 8 and 4, -10..10 degrees, 0.9..1.1.
    "lucid": Warp(jitter=12 / 224, degrees=10, scale=0.1),
}

_ERHAN = (
    "Erhan, Bengio, Courville & Vincent 2009, Visualizing higher-layer features of a deep network"
)
_SIMONYAN = "Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034, section 2"
_YOSINSKI = "Yosinski, Clune, Nguyen, Fuchs & Lipson 2015, arXiv:1506.06579, section 3"
_LUCID = "Olah, Mordvintsev & Schubert 2017, doi:10.23915/distill.00007"
_PPGN = "Nguyen, Clune, Bengio, Dosovitskiy & Yosinski 2017, arXiv:1612.00005"
_MACO = "Fel et al. 2023, arXiv:2306.06805"

PRESETS: dict[str, Preset] = {
    "default": Preset(
        description="From an image that the prior draws, pulled towards what could be real.",
        paper=_PPGN,
        settings=Settings(
            parameterisation="natural",
            optimiser="ascent",
            start=0.1,
            learning_rate=0.015,
            steps=32,
            regularisers=Regularisers(l2=0.0, total_variation=0.04, prior=8.0),
        ),
    ),
    "natural": Preset(
        description="As the default, held closer to what could be real; it drives the unit less.",
        paper=_PPGN,
        settings=Settings(
            parameterisation="natural",
            optimiser="ascent",
            start=0.1,
            learning_rate=0.01,
            steps=32,
            regularisers=Regularisers(l2=0.0, total_variation=0.04, prior=30.0),
        ),
    ),
    "sharp": Preset(
        description="Drives the unit hardest and keeps fine detail; some of it is noise.",
        settings=Settings(
            parameterisation="fourier",
            ground=-1.0,
            learning_rate=0.1,
            steps=192,
            transforms=WARPS["small"],
            regularisers=Regularisers(l2=0.1, total_variation=0.05),
        ),
    ),
    "clean": Preset(
        description="Spectrum scaled by 1/f, small warps, total variation; no prior.",
        paper=_LUCID,
        settings=Settings(
            parameterisation="fourier",
            ground=-1.0,
            learning_rate=0.1,
            steps=128,
            transforms=WARPS["small"],
            regularisers=Regularisers(l2=0.1, total_variation=0.2),
        ),
    ),
    "erhan2009": Preset(
        description="Plain ascent on pixels whose norm is held: where it all began.",
        paper=_ERHAN,
        settings=Settings(
            parameterisation="raw",
            optimiser="ascent",
            start=0.1,
            learning_rate=0.02,
            steps=128,
            regularisers=Regularisers(norm=0.35),
            redirect=0,
        ),
    ),
    "simonyan2013": Preset(
        description="Plain ascent on pixels from an empty image, with a charge on the square.",
        paper=_SIMONYAN,
        settings=Settings(
            parameterisation="raw",
            optimiser="ascent",
            start=0.0,
            learning_rate=0.02,
            steps=128,
            regularisers=Regularisers(l2=0.5),
            redirect=0,
        ),
    ),
    "yosinski2015": Preset(
        description="Ascent on pixels with decay, and a blur of radius 1 every four steps.",
        paper=_YOSINSKI,
        settings=Settings(
            parameterisation="raw",
            optimiser="ascent",
            start=0.1,
            learning_rate=0.1,
            steps=192,
            regularisers=Regularisers(l2=0.1, blur=1.0, blur_end=1.0, blur_every=4),
            redirect=0,
        ),
    ),
    "lucid": Preset(
        description="Spectrum scaled by 1/f, decorrelated colours, Lucid's warps, no charges.",
        paper=_LUCID,
        settings=Settings(
            parameterisation="fourier",
            learning_rate=0.05,
            steps=256,
            transforms=WARPS["lucid"],
        ),
    ),
    "maco": Preset(
        description="The data set's magnitudes stay, phases alone are optimised; affine to pixels.",
        paper=_MACO,
        settings=Settings(
            parameterisation="maco",
            start=3.0,
            learning_rate=0.1,
            steps=192,
            transforms=WARPS["small"],
        ),
    ),
}


def preset(name: str) -> Preset:
    if name not in PRESETS:
        raise NotFound("preset", name, PRESETS)
    return PRESETS[name]


def warp(name: str) -> Warp:
    if name not in WARPS:
        raise NotFound("transforms", name, WARPS)
    return WARPS[name]
