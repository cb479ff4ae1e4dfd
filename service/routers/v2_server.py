"""Open Inference Protocol: is the server there, and what does it speak."""

from fastapi import APIRouter, Request, Response

from service.document.openapi import VERSION
from service.formats.answers import answer
from service.oip import openapi
from service.oip.metadata import EXTENSIONS
from service.runtime import runtime

router = APIRouter(prefix="/v2", tags=["open inference protocol"])


@router.get("", summary="Server metadata", responses=openapi.SERVER)
async def server() -> Response:
    return answer({"name": "glyphscope", "version": VERSION, "extensions": EXTENSIONS})


@router.get("/health/live", summary="The server is live", responses=openapi.LIVE)
async def live() -> Response:
    return answer({"live": True})


@router.get("/health/ready", summary="Models can be asked", responses=openapi.READY)
async def ready(request: Request) -> Response:
    found = runtime(request)
    if found.stopping.is_set():
        return answer({"ready": False, "error": "the process is stopping"}, 503)
    listings = await found.registry.survey()
    if not any(each.manifest for each in listings):
        reason = "no model has a production version to serve; /health/ready says more"
        return answer({"ready": False, "error": reason}, 503)
    return answer({"ready": True})
