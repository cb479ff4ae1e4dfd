"""Open Inference Protocol: tensors in, tensors out."""

import asyncio

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from glyphscope.errors import DeadlinePassed
from glyphscope.preprocess import Pixels
from glyphscope.spec import InputSpec
from glyphscope.store import Ref
from service.inference.model import Model
from service.inference.scores import Scores
from service.oip import openapi
from service.oip.inputs import to_pixels
from service.oip.message import HEADER, Message, head_length, parse
from service.oip.names import Name, find, reference
from service.oip.outputs import chosen, tensors
from service.oip.reply import BINARY, reply
from service.runtime import Runtime, runtime

router = APIRouter(prefix="/v2/models", tags=["open inference protocol"])

TAKEN = ("application/json", BINARY)

# JSON of this size is read in less time than it takes to hand it to another thread.
_SMALL = 16 * 1024


@router.post(
    "/{model}/infer",
    summary="Infer",
    responses=openapi.INFER,
    openapi_extra=openapi.INFER_BODY,
)
@router.post(
    "/{model}/versions/{version}/infer",
    summary="Infer with a version",
    responses=openapi.INFER,
    openapi_extra=openapi.versioned(openapi.INFER_BODY),
)
async def infer(request: Request, model: Name) -> Response:
    """One of the inputs `input` (FP32, 0..1), `pixels` (UINT8) and `image` (BYTES: PNG, JPEG or
    WebP; base64 in JSON), as JSON or binary; the outputs that are asked for, or all."""
    found = runtime(request)
    served = await find(request)
    manifest = served.manifest
    with found.statistics.count(Ref(manifest.name, manifest.version)) as watch:
        message = await _message(request, found)
        asked = chosen(message, manifest)
        pixels = await _pixels(message, manifest.input, found)
        watch.images = len(pixels)
        watch.mark()
        scores = await _scores(found, served, pixels, message.parameters.timeout)
        found.compare(request, reference(request), served, pixels, scores.logits)
        watch.mark()
        response = reply(message, manifest, asked, tensors(scores.logits, manifest, asked))
        watch.mark()
        return response


async def _scores(found: Runtime, served: Model, pixels: Pixels, patience: int | None) -> Scores:
    """``patience`` in microseconds, as Triton's ``timeout`` has it; 0 is for ever there."""
    try:
        async with asyncio.timeout(patience / 1e6 if patience else None):
            return await found.engine.answers(served, pixels)
    except TimeoutError:
        raise DeadlinePassed(
            f"not answered within the {patience} microseconds that the request gave itself"
        ) from None


async def _message(request: Request, found: Runtime) -> Message:
    _check_media_type(request)
    head = head_length(request.headers.get(HEADER))
    body = await request.body()
    if (len(body) if head is None else head) <= _SMALL:
        return parse(body, head)
    return await found.pool.run(lambda: parse(body, head))


async def _pixels(message: Message, spec: InputSpec, found: Runtime) -> Pixels:
    """Binary numbers are only looked at; pictures and long lists are work for another thread."""
    limit = found.settings.max_batch_images
    if all(given.binary and given.datatype != "BYTES" for given in message.inputs):
        return to_pixels(message.inputs, spec, limit)
    return await found.pool.run(lambda: to_pixels(message.inputs, spec, limit))


def _check_media_type(request: Request) -> None:
    """Triton's own client sends none."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and media_type not in TAKEN:
        raise HTTPException(
            415, f"content type {media_type!r} is not taken here; send {', '.join(TAKEN)}"
        )
