"""One document on how the service is."""

import os
from collections.abc import Callable
from typing import Any

import httpx

from glyphscope.store import Store
from service.document import schemas
from service.runtime import Runtime
from service.versions.rollout import Share, change_rollout


async def test_status(
    client: httpx.AsyncClient, runtime: Runtime, store: Store, publish: Callable[..., Any]
) -> None:
    publish(seed=1, alias=None)
    os.truncate(store.root / "mnist" / "2" / "model.safetensors", 10)
    canary = Share(to="2", percent=5)
    change_rollout(store, "mnist", lambda rollout: rollout.model_copy(update={"canary": canary}))
    created = await client.post(
        "/v1/models/mnist/maximisations", json={"layer": "logits", "units": [3], "steps": 16}
    )
    assert created.status_code == 201
    runtime.watcher.show()

    answer = await client.get("/v1/status")
    found = schemas.Status.model_validate(answer.json())
    [process] = found.processes
    assert (process.pid, process.ready, process.loaded) == (os.getpid(), True, ["mnist@1"])
    [model] = found.models
    assert (model.versions, model.serving) == ([1, 2], {"production": 1})
    assert model.rollout.canary == schemas.Share(to="2", percent=5)
    assert [each.version for each in model.broken] == [2]
    assert (found.jobs.open, found.jobs.workers, found.device) == (1, 0, "cpu")
    assert found.jobs.cache_bytes > 0
    assert found.uptime_seconds >= 0
