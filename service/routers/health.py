"""Is the process up, and can it answer."""

from typing import Any

from fastapi import APIRouter, Request, Response

from glyphscope.store import PRODUCTION
from service.document.openapi import READINESS
from service.formats.answers import answer
from service.maximise.heartbeat import workers_alive
from service.runtime import Runtime, runtime
from service.versions.inspection import Listing

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="The process answers")
async def live() -> Response:
    return answer({"status": "live"})


@router.get("/ready", summary="Models are there to classify with", responses=READINESS)
async def ready(request: Request) -> Response:
    """200 where at least one model has a production version that can be served, else 503 with the
    reasons. A broken version is named here and keeps nothing else from being served."""
    found = runtime(request)
    document = await _readiness(found)
    return answer(document, 200 if document["status"] == "ready" else 503)


async def _readiness(found: Runtime) -> dict[str, Any]:
    listings = await found.registry.survey()
    models = {each.name: each.serving.get(PRODUCTION) for each in listings if each.manifest}
    reasons = ["the process is stopping"] if found.stopping.is_set() else []
    if not models:
        reasons.append(f"no model in {found.settings.store} has a production version to serve")
    return {
        "status": "not ready" if reasons else "ready",
        "reasons": reasons,
        "models": models,
        "broken": [_broken(each) for each in listings if each.broken],
        "held": [{"model": each.name, **vars(held)} for each in listings for held in each.held],
        "loaded": [str(ref) for ref in found.registry.loaded()],
        "device": str(found.registry.device),
        "workers_alive": workers_alive(found.settings.state),
    }


def _broken(listing: Listing) -> dict[str, Any]:
    reasons = [{"version": each.version, "reason": each.reason} for each in listing.broken]
    return {"model": listing.name, "versions": reasons}
