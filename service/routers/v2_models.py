"""Open Inference Protocol: what a model takes and gives, whether it is ready, and its past."""

import asyncio

from fastapi import APIRouter, Request, Response

from service.formats.answers import answer, read
from service.oip import openapi
from service.oip.metadata import configuration, metadata
from service.oip.names import Name, describe, in_their_words, reference
from service.runtime import runtime

router = APIRouter(prefix="/v2/models", tags=["open inference protocol"])


@router.get("/stats", summary="Statistics of all versions in use", responses=openapi.STATS)
async def all_statistics(request: Request) -> Response:
    """Of versions that have answered in this process, as Triton's statistics extension has them."""
    return answer({"model_stats": runtime(request).statistics.all()})


@router.get("/{model}/stats", summary="Statistics", responses=openapi.MODEL_STATS)
@router.get(
    "/{model}/versions/{version}/stats",
    summary="Statistics of a version",
    responses=openapi.MODEL_STATS,
    openapi_extra=openapi.versioned({}),
)
async def statistics(request: Request, model: Name) -> Response:
    found, text = runtime(request), reference(request)
    with in_their_words(text):
        ref = found.registry.resolve(text)
    return answer({"model_stats": [found.statistics.document(ref)]})


@router.get("/{model}/ready", summary="A model is ready", responses=openapi.MODEL_READY)
@router.get(
    "/{model}/versions/{version}/ready",
    summary="A version is ready",
    responses=openapi.MODEL_READY,
    openapi_extra=openapi.versioned({}),
)
async def ready(request: Request, model: Name) -> Response:
    manifest = await describe(request)
    return answer({"name": manifest.name, "ready": True})


@router.get("/{model}/config", summary="Triton's configuration", responses=openapi.CONFIG)
@router.get(
    "/{model}/versions/{version}/config",
    summary="Triton's configuration of a version",
    responses=openapi.CONFIG,
    openapi_extra=openapi.versioned({}),
)
async def config(request: Request, model: Name) -> Response:
    found = runtime(request)
    manifest = await describe(request)
    return read(request, configuration(manifest, found.settings.max_batch_images))


@router.get("/{model}", summary="Model metadata", responses=openapi.MODEL)
@router.get(
    "/{model}/versions/{version}",
    summary="Version metadata",
    responses=openapi.MODEL,
    openapi_extra=openapi.versioned({}),
)
async def model(request: Request, model: Name) -> Response:
    """The tensors that it takes and gives; -1 is the batch. A request gives one of the inputs."""
    found = runtime(request)
    manifest = await describe(request)
    versions = await asyncio.to_thread(found.registry.store.versions, manifest.name)
    return read(request, metadata(manifest, versions))
