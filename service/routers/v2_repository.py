"""Triton's model repository extension: what there is, and, for an administrator, what is served."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from glyphscope.errors import InvalidInput
from service.admin import administrator
from service.formats.answers import answer
from service.formats.inputs import load_json
from service.oip import openapi
from service.oip.names import Name, in_their_words
from service.runtime import runtime
from service.versions.inspection import Listing

router = APIRouter(prefix="/v2/repository", tags=["open inference protocol"])

admin = APIRouter(
    prefix="/v2/repository/models/{model}",
    tags=["open inference protocol"],
    dependencies=[Depends(administrator)],
)
"""Only there where an admin key is set."""

UNLOADED = "unloaded"


@router.post(
    "/index",
    summary="All versions of all models",
    responses=openapi.INDEX,
    openapi_extra=openapi.INDEX_BODY,
)
async def index(request: Request) -> Response:
    """`READY` is what can be asked; a version is loaded when it first is. With `{"ready": true}`
    only those."""
    ready = bool((await _body(request)).get("ready"))
    listings = await runtime(request).registry.survey()
    found = [version for listing in listings for version in _versions(listing)]
    return answer([each for each in found if each["state"] == "READY" or not ready])


@admin.post("/load", summary="Serve a model", responses=openapi.REPOSITORY)
async def load(request: Request, model: Name) -> Response:
    """Its production version is loaded by every process; other versions when they are asked for.
    Models come from the store alone: Triton's `config` and files are refused."""
    parameters = (await _body(request)).get("parameters") or {}
    if parameters:
        named = ", ".join(sorted(parameters)) if isinstance(parameters, dict) else "parameters"
        raise InvalidInput(f"models come from the store alone: {named[:200]} cannot be used here")
    with in_their_words(model):
        return answer(await runtime(request).promotion.load_all(model))


@admin.post("/unload", summary="Serve a model no more", responses=openapi.REPOSITORY)
async def unload(request: Request, model: Name) -> Response:
    """No version of it answers until it is loaded again, in any process."""
    with in_their_words(model):
        return answer(await runtime(request).promotion.unload_all(model))


async def _body(request: Request) -> dict[str, Any]:
    """Triton's client sends {} or nothing where it has nothing to say."""
    body = await request.body()
    document = load_json(body) if body else {}
    if not isinstance(document, dict):
        raise InvalidInput("the body must be a JSON object, or empty")
    return document


def _versions(listing: Listing) -> list[dict[str, Any]]:
    reasons = dict.fromkeys(listing.rollout.unloaded, UNLOADED)
    reasons |= {each.version: each.reason for each in listing.broken if each.version is not None}
    return [
        {
            "name": listing.name,
            "version": str(version),
            "state": "UNAVAILABLE" if version in reasons else "READY",
            "reason": reasons.get(version, ""),
        }
        for version in listing.versions
    ]
