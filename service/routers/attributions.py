"""Which parts of an image speak for a class, and which against it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from glyphscope.attribution_methods import METHODS
from glyphscope.errors import NotFound
from service.analysis.job import Job
from service.document import openapi
from service.document.openapi import ModelName
from service.formats.answers import read
from service.formats.inputs import read_pixels
from service.inference.model import Model
from service.maximise.pictures import check_scale
from service.microscopy import class_named
from service.runtime import runtime

router = APIRouter(prefix="/v1/models", tags=["attributions"])

MOST_IMAGES = 32
"""Each costs as much as tens of classifications, by some methods hundreds."""

Format = Literal["json", "npz", "png"]

DEFAULT = "integrated-gradients"

ABOUT: dict[str, str] = {
    "saliency": "How the score changes where a pixel gets lighter.",
    "integrated-gradients": "The gradient, summed on the way from an empty image to this one: "
    "the parts add up to what the drawing adds to the score.",
    "smoothgrad": "The gradient, averaged over many noisy copies of the image.",
    "grad-cam": "Where the last maps that have positions speak for the class. Coarse.",
    "guided-backprop": "The gradient, letting only what excites back through each ReLU. Sharp, but "
    "it shows edges more than reasons.",
    "deconvolution": "As guided backpropagation, but without asking which ReLUs were on.",
    "occlusion": "How far the score falls where a patch is covered. Plain, and slow.",
    "lrp": "The score itself, handed back layer by layer until it lies on the pixels.",
}


@router.get("/{model}/attributions", summary="Methods", responses=openapi.METHODS)
async def methods(request: Request, model: ModelName) -> Response:
    """What an answer can be explained by, and what each of them means."""
    found = runtime(request)
    manifest = await found.registry.manifest(model)
    # Whoever looks at the list is about to use it.
    found.analyses.start()
    listed = [
        {"name": name, "title": one.title, "about": ABOUT[name], "source": one.source}
        for name, one in METHODS.items()
    ]
    document = {"model": manifest.name, "version": manifest.version}
    return read(request, {**document, "default": DEFAULT, "methods": listed})


@router.post(
    "/{model}/attributions",
    summary="Explain an answer",
    responses=openapi.ATTRIBUTIONS,
    openapi_extra=openapi.IMAGES_BODY,
)
async def attributions(
    request: Request,
    model: ModelName,
    method: Annotated[str, Query(description="one of those that GET lists")] = DEFAULT,
    target: Annotated[
        str | None, Query(description="a label or a class's number; default: each one's answer")
    ] = None,
    written: Annotated[Format, Query(alias="format", description="of the answer")] = "json",
    include: Annotated[
        Literal["input"] | None, Query(description="also the picture that the network sees")
    ] = None,
    scale: Annotated[int, Query(ge=1, le=32, description="pixels a pixel, of a png")] = 8,
    layer: Annotated[str | None, Query(description="of grad-cam; default: the last map")] = None,
    steps: Annotated[int, Query(ge=1, le=1024, description="of integrated-gradients")] = 64,
    samples: Annotated[int, Query(ge=1, le=1024, description="of smoothgrad")] = 32,
    noise: Annotated[float, Query(gt=0, le=1, description="of smoothgrad")] = 0.15,
    seed: Annotated[int, Query(ge=0, lt=2**53, description="of smoothgrad's noise")] = 0,
) -> Response:
    """A number a pixel: above 0 it speaks for the class, below 0 against it. `json` holds the maps
    as rows with their scores, `npz` the arrays `maps` (N, H, W), `targets` and `logits`, and `png`
    the first image with its map over it, warm for and cold against. Works in a process of its own:
    503 with Retry-After where too much waits, 504 where it takes too long."""
    found = runtime(request)
    checkpoint = await found.registry.get(model)
    if method not in METHODS:
        raise NotFound("attribution method", method, METHODS)
    options = {
        "method": method,
        "target": None if target is None else class_named(checkpoint, target),
        "format": written,
        "input": include == "input",
        "scale": scale,
        "settings": {
            "layer": layer, "steps": steps, "samples": samples, "noise": noise, "seed": seed,
        },
    }  # fmt: skip
    if written == "png":
        _check_scale(checkpoint, scale)
    pixels = await read_pixels(request, checkpoint.manifest.input, MOST_IMAGES, found.pool)
    job = Job(
        "attributions",
        (checkpoint.manifest.ref,),
        options,
        pixels[:1] if written == "png" else pixels,
    )
    answer = await found.analyses.run(job)
    return Response(answer.body, media_type=answer.media_type)


def _check_scale(model: Model, scale: int) -> None:
    _, height, width = model.manifest.input.shape
    check_scale(height, width, scale)
