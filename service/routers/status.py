"""How the service is: one document for people, scripts and dashboards."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from service.document import openapi
from service.formats.answers import answer
from service.maximise.heartbeat import workers_alive
from service.runtime import Runtime, runtime
from service.versions.inspection import Listing
from service.versions.promotion import comparisons

router = APIRouter(prefix="/v1", tags=["health"])


@router.get("/status", summary="How the service is", responses=openapi.STATUS)
async def status(request: Request) -> Response:
    """Of all processes that serve this store with this state folder, on whatever machine: what
    they hold in memory, how much waits, and what each name's traffic is."""
    found = runtime(request)
    return answer(await document(found))


async def document(found: Runtime) -> dict[str, Any]:
    listings, processes, jobs = await asyncio.gather(
        found.registry.survey(),
        asyncio.to_thread(found.presence.all),
        asyncio.to_thread(_jobs, found),
    )
    return {
        "version": openapi.VERSION,
        "started": _time(found.started),
        "uptime_seconds": round(time.time() - found.started, 1),
        "device": str(found.registry.device),
        "processes": [_process(each) for each in processes],
        "models": [_model(each, processes) for each in listings],
        "jobs": jobs,
    }


def _process(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "host": document["host"],
        "pid": document["pid"],
        "started": _time(document["started"]),
        "ready": document["ready"],
        "device": document["device"],
        "loaded": document["loaded"],
        "refused": document["refused"],
        "waiting_images": document["waiting_images"],
        **document["lifecycle"],
        **document["gate"],
    }


def _model(listing: Listing, processes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": listing.name,
        "versions": listing.versions,
        "aliases": listing.aliases,
        "serving": listing.serving,
        "held": [vars(each) for each in listing.held],
        "rollout": listing.rollout.model_dump(mode="json", exclude={"loaded"}),
        "comparisons": comparisons(processes, listing.name),
        "broken": [vars(each) for each in listing.broken],
    }


def _jobs(found: Runtime) -> dict[str, Any]:
    pictures = found.settings.state / "maximisations"
    return {
        "open": len(found.maximisations.jobs.open_ids()),
        "workers": workers_alive(found.settings.state),
        "cached": _count(pictures),
        "cache_bytes": _size(pictures),
    }


def _count(folder: Path) -> int:
    try:
        return sum(each.is_dir() and each.name != "open" for each in folder.iterdir())
    except OSError:
        return 0


def _size(folder: Path) -> int:
    """What is removed while it is counted counts as nothing."""
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.lstat().st_size
        except OSError:
            continue
    return total


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
