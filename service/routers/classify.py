"""Which class is it."""

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from glyphscope.errors import InvalidInput
from glyphscope.preprocess import Pixels
from glyphscope.visualise import png
from service.document import openapi
from service.document.openapi import ModelName
from service.formats.accept import negotiate
from service.formats.answers import answer
from service.formats.inputs import read_pixels
from service.formats.prediction_formats import JSON, WRITERS, arrays
from service.inference.model import Model
from service.inference.scores import Scores
from service.runtime import request_id, runtime

router = APIRouter(prefix="/v1/models", tags=["classify"])

TOP = 3
OFFERS = (JSON, *WRITERS)


@router.post(
    "/{model}/classify",
    summary="Classify images",
    responses=openapi.CLASSIFY,
    openapi_extra=openapi.IMAGES_BODY,
)
async def classify(
    request: Request,
    model: ModelName,
    top_k: Annotated[int | None, Query(ge=1, description="how many classes; at most all")] = None,
    include: Annotated[
        Literal["input"] | None, Query(description="also the picture that the network sees")
    ] = None,
) -> Response:
    """One prediction an image, in the order sent. Probabilities are calibrated; `in_distribution`
    says whether the image looks like anything that the model was trained on (null where the model
    has no threshold for that). With `Accept: application/x-npz` or `application/x-safetensors` the
    answer holds arrays instead, all classes' probabilities and logits among them."""
    found = runtime(request)
    media_type = negotiate(request, OFFERS)
    served = await found.registry.route(model, request_id(request))
    count = top(top_k, served)
    pixels = await read_pixels(
        request, served.manifest.input, found.settings.max_batch_images, found.pool
    )
    scores = await found.engine.answers(served, pixels)
    found.compare(request, model, served, pixels, scores.logits)
    if media_type == JSON:
        return answer(document(served, scores, count, pixels if include else None))
    body = WRITERS[media_type](arrays(scores.logits, served.manifest))
    # The body of a file has no room for what it was made with.
    return Response(body, media_type=media_type, headers={"X-Model": served.manifest.ref})


def top(asked: int | None, checkpoint: Model) -> int:
    classes = len(checkpoint.labels)
    if asked is not None and asked > classes:
        raise InvalidInput(
            f"top_k is {asked}, but {checkpoint.manifest.name} has {classes} classes"
        )
    return asked or min(TOP, classes)


def document(
    checkpoint: Model, scores: Scores, count: int, pixels: Pixels | None = None
) -> dict[str, Any]:
    predictions = scores.documents(count)
    if pixels is not None:
        for prediction, image in zip(predictions, pixels, strict=True):
            prediction["input"] = _input(image)
    return {
        "model": checkpoint.manifest.name,
        "version": checkpoint.manifest.version,
        "predictions": predictions,
    }


def _input(pixels: Pixels) -> dict[str, Any]:
    channels, height, width = pixels.shape
    picture = base64.b64encode(png(pixels)).decode()
    return {"width": width, "height": height, "channels": channels, "png": picture}
