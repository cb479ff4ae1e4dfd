"""What an administrator does: move aliases, load and unload versions, share traffic out.

The routes are there only where an admin key is set.
"""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.admin import administrator
from service.document import openapi
from service.formats.answers import answer
from service.formats.inputs import load_json
from service.runtime import runtime
from service.versions.promotion import Promotion
from service.versions.rollout import Rollout, Share

router = APIRouter(
    prefix="/v1/models/{name}", tags=["admin"], dependencies=[Depends(administrator)]
)

Name = Annotated[str, Path(description="of a model, without a version")]
Version = Annotated[int, Path(ge=1)]

Body = TypeVar("Body", bound=BaseModel)


class Move(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1)


class Traffic(BaseModel):
    """What is left out, or null, is switched off."""

    model_config = ConfigDict(extra="forbid")

    canary: Share | None = None
    shadow: Share | None = None


@router.put(
    "/aliases/{alias}",
    summary="Promote or roll back",
    responses=openapi.ADMIN,
    openapi_extra=openapi.body(Move, {"version": 7}),
)
async def promote(request: Request, name: Name, alias: str) -> Response:
    """Every process loads and warms the version, then the alias moves. A broken version is refused
    and the alias stays. `late` lists processes that serve what they served for a moment longer."""
    move = await _read(request, Move)
    return answer(await _promotion(request).promote(name, alias, move.version))


@router.post("/versions/{version}/load", summary="Load a version", responses=openapi.ADMIN)
async def load(request: Request, name: Name, version: Version) -> Response:
    """Into the memory of every process, verified and warmed."""
    return answer(await _promotion(request).load(name, version))


@router.post("/versions/{version}/unload", summary="Unload a version", responses=openapi.ADMIN)
async def unload(request: Request, name: Name, version: Version) -> Response:
    """Out of every process's memory, and not served again until it is loaded. A version that an
    alias, a share of traffic or a pin names is refused."""
    return answer(await _promotion(request).unload(name, version))


@router.put("/versions/{version}/pin", summary="Pin a version", responses=openapi.ADMIN)
async def pin(request: Request, name: Name, version: Version) -> Response:
    """Loaded, and never dropped from memory."""
    return answer(await _promotion(request).pin(name, version))


@router.delete("/versions/{version}/pin", summary="Unpin a version", responses=openapi.ADMIN)
async def unpin(request: Request, name: Name, version: Version) -> Response:
    return answer(await _promotion(request).unpin(name, version))


@router.get("/traffic", summary="Canary, shadow, pins", responses=openapi.ADMIN)
async def traffic(request: Request, name: Name) -> Response:
    """`comparisons` counts the images whose label the shadow's version was asked for too."""
    return answer(_promotion(request).shown(name))


@router.put(
    "/traffic",
    summary="Set canary and shadow",
    responses=openapi.ADMIN,
    openapi_extra=openapi.body(Traffic, {"canary": {"to": "candidate", "percent": 5}}),
)
async def set_traffic(request: Request, name: Name) -> Response:
    """Of requests for `name` and `name@production`. Which go to the canary is decided by a hash of
    the request's id (`X-Request-ID`), so the same id meets the same version everywhere."""
    asked = await _read(request, Traffic)
    rollout = Rollout(canary=asked.canary, shadow=asked.shadow)
    return answer(await _promotion(request).traffic(name, rollout))


def _promotion(request: Request) -> Promotion:
    return runtime(request).promotion


async def _read(request: Request, shape: type[Body]) -> Body:
    return shape.model_validate(load_json(await request.body()))
