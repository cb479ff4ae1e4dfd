"""Which classes are taken for which, on which images, and the units that were misled."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from service.analysis.job import Job
from service.document import openapi
from service.document.openapi import ModelName
from service.formats.answers import derived, dumps, freshness
from service.microscopy import class_named, published
from service.runtime import runtime
from service.sources import source

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint

router = APIRouter(prefix="/v1/models", tags=["confusions"])

WITHOUT = "its mistakes on the test set"

ClassName = Annotated[str, Path(description="a label, or a class's number")]


@router.get("/{model}/confusions", summary="Confusion matrix", responses=openapi.CONFUSIONS)
async def confusions(request: Request, model: ModelName) -> Response:
    """Cells of the test set's confusion matrix that have images, row by row: `truth` and `answer`
    are class numbers."""
    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    published(checkpoint, bool(checkpoint.confusions.values), WITHOUT)

    async def make() -> tuple[bytes, str]:
        return await found.pool.run(lambda: dumps(_document(checkpoint))), "application/json"

    return await derived(request, source(checkpoint.manifest), make, freshness(model))


@router.get(
    "/{model}/confusions/{truth}/{answer}",
    summary="A cell of the confusion matrix",
    responses=openapi.CONFUSION,
)
async def cell(request: Request, model: ModelName, truth: ClassName, answer: ClassName) -> Response:
    """Test images of the class `truth` that were answered as `answer`, at most 12: of mistakes the
    surest first, of right answers the least sure. `units` behave otherwise on them than is usual
    for the class `truth` (behind every activation function; `effect` in standard deviations);
    `between` are those that tell the two classes apart at all."""
    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    published(checkpoint, bool(checkpoint.confusions.values), WITHOUT)
    options = {
        "truth": class_named(checkpoint, truth),
        "answer": class_named(checkpoint, answer),
    }
    job = Job("confusion", (checkpoint.manifest.ref,), options)

    async def make() -> tuple[bytes, str]:
        found_cell = await found.analyses.run(job)
        return found_cell.body, found_cell.media_type

    return await derived(request, source(checkpoint.manifest), make, freshness(model))


def _document(checkpoint: "Checkpoint") -> dict[str, Any]:
    return {
        "model": checkpoint.manifest.name,
        "version": checkpoint.manifest.version,
        "labels": checkpoint.labels,
        "cells": [
            {"truth": one.truth, "answer": one.answer, "count": one.count}
            for one in checkpoint.confusions.cells()
        ],
    }
