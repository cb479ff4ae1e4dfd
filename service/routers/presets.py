"""Methods of maximisation by name, for whoever offers them to people."""

from fastapi import APIRouter, Request, Response

from glyphscope.visualise import MaximisationRequest
from glyphscope.visualise.presets import PRESETS
from service.document import openapi
from service.formats.answers import read

router = APIRouter(prefix="/v1", tags=["maximisations"])

DEFAULT = MaximisationRequest.model_fields["preset"].default


@router.get("/presets", summary="How pictures can be made", responses=openapi.PRESETS)
async def presets(request: Request) -> Response:
    """What a request's `preset` may be, what it stands for, and the paper that it is from. Every
    value in `settings` can be asked for by itself."""
    found = [{"name": name, **preset.model_dump(mode="json")} for name, preset in PRESETS.items()]
    return read(request, {"default": DEFAULT, "presets": found})
