"""Created once, waited for, drawn, read, cancelled: over HTTP, with a worker that draws at once."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from glyphscope.checkpoint import read_manifest
from glyphscope.errors import InvalidInput
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest, digest
from service import schemas
from service.runtime import Runtime
from service.settings import Settings

URL = "/v1/models/mnist/maximisations"

ASKED = {"layer": "conv1", "units": [3, 0], "steps": 16}

Draw = Callable[..., int]
WaitFor = Callable[[Callable[[], Any]], None]


async def create(client: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    document: dict[str, Any] = (await client.post(URL, json={**ASKED, **asked})).json()
    return document


async def test_created_then_found(client: httpx.AsyncClient, store: Store, draw: Draw) -> None:
    first = await client.post(URL, json=ASKED)
    document = schemas.Maximisation.model_validate(first.json())
    assert first.status_code == 201
    assert first.headers["location"] == f"/v1/maximisations/{document.id}"
    manifest = read_manifest(store.root / "mnist" / "1")
    assert document.id == digest(manifest, MaximisationRequest.model_validate(ASKED))
    assert (document.model, document.version, document.status) == ("mnist", 1, "queued")
    assert (document.step, document.results) == (0, [])

    again = await client.post(URL, json=ASKED)
    assert (again.status_code, again.json()) == (200, first.json())
    assert draw() == 1

    done = await client.post(URL, json=ASKED)
    assert done.status_code == 200
    found = schemas.Maximisation.model_validate(done.json())
    assert (found.status, found.step, found.steps) == ("done", 16, 16)
    assert [(each.unit, each.activation) for each in found.results] == [(3, 3.5), (0, 0.5)]
    assert (await client.get(first.headers["location"])).json() == done.json()
    assert draw() == 0


async def test_equal_requests_at_once_are_one_job(client: httpx.AsyncClient, draw: Draw) -> None:
    answers = await asyncio.gather(*(client.post(URL, json=ASKED) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert draw() == 1


async def test_all_units_are_made_explicit(client: httpx.AsyncClient) -> None:
    everything = await create(client, units="all")
    assert everything["request"]["units"] == [0, 1, 2, 3]
    assert (await create(client, units=[0, 1, 2, 3]))["id"] == everything["id"]


async def test_the_job_belongs_to_the_version_that_the_name_meant(
    client: httpx.AsyncClient, publish: Callable[..., Any], draw: Draw
) -> None:
    first = await create(client)
    publish(seed=1)
    second = await create(client)
    assert (first["version"], second["version"]) == (1, 2)
    assert first["id"] != second["id"]
    assert draw() == 2
    assert (await client.get(f"/v1/maximisations/{first['id']}")).json()["status"] == "done"


async def test_pictures(client: httpx.AsyncClient, draw: Draw) -> None:
    job = await create(client)
    early = await client.get(f"/v1/maximisations/{job['id']}/grid.png")
    assert early.status_code == 409
    assert "queued" in early.json()["detail"]
    draw()
    image = (await client.get(f"/v1/maximisations/{job['id']}")).json()["results"][0]["image"]
    answer = await client.get(image)
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    np.testing.assert_array_equal(pixels(answer), np.full((28, 28), 3, np.uint8))
    large = await client.get(image + "?scale=4")
    np.testing.assert_array_equal(pixels(large), np.full((112, 112), 3, np.uint8))
    etag = {"If-None-Match": answer.headers["etag"]}
    assert (await client.get(image, headers=etag)).status_code == 304
    assert (await client.get(image + "?scale=4", headers=etag)).status_code == 200
    sheet = pixels(await client.get(f"/v1/maximisations/{job['id']}/grid.png"))
    assert sheet.shape == (28, 57)
    assert (sheet[:, :28] == 3).all()
    assert (sheet[:, 29:] == 0).all()


def pixels(answer: httpx.Response) -> np.ndarray[Any, np.dtype[np.uint8]]:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("units/1.png", 404, "known: 3, 0"),
        ("units/x.png", 404, "known: 3, 0"),
        ("units/03.png", 404, "known: 3, 0"),
        ("units/3.png?scale=0", 422, "scale"),
        ("units/3.png?scale=17", 422, "scale"),
        ("grid.png?scale=big", 422, "scale"),
        ("grid.gif", 404, "/docs"),
    ],
)
async def test_pictures_that_are_not_there(
    client: httpx.AsyncClient, draw: Draw, path: str, status: int, words: str
) -> None:
    job = await create(client)
    draw()
    answer = await client.get(f"/v1/maximisations/{job['id']}/{path}")
    assert answer.status_code == status
    assert words in answer.json()["detail"]


async def test_a_sheet_too_large(client: httpx.AsyncClient, draw: Draw) -> None:
    job = await create(client, layer="flatten", units="all")
    draw()
    sheet = f"/v1/maximisations/{job['id']}/grid.png"
    assert (await client.get(sheet)).status_code == 200
    refused = await client.get(sheet + "?scale=16")
    assert refused.status_code == 413
    assert "smaller scale" in refused.json()["detail"]


async def test_a_picture_tidied_away_is_drawn_again(
    client: httpx.AsyncClient, draw: Draw, runtime: Runtime
) -> None:
    job = await create(client)
    draw()
    runtime.maximisations.jobs.picture(job["id"], 3).unlink()
    gone = await client.get(f"/v1/maximisations/{job['id']}/units/3.png")
    assert gone.status_code == 409
    assert (await client.post(URL, json=ASKED)).status_code == 201
    draw()
    assert (await client.get(f"/v1/maximisations/{job['id']}/units/3.png")).status_code == 200


async def test_prefer_wait(client: httpx.AsyncClient, draw: Draw, wait_for: WaitFor) -> None:
    waiting = asyncio.create_task(
        client.post(URL, json=ASKED, headers={"Prefer": "respond-async, wait=30"})
    )
    await asyncio.to_thread(wait_for, draw)
    answer = await waiting
    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=30"
    assert answer.json()["status"] == "done"


async def test_a_wait_ends_when_the_process_stops(
    client: httpx.AsyncClient, runtime: Runtime, wait_for: WaitFor
) -> None:
    waiting = asyncio.create_task(client.post(URL, json=ASKED, headers={"Prefer": "wait=60"}))
    await asyncio.to_thread(wait_for, runtime.maximisations.jobs.open_ids)
    runtime.stopping.set()
    answer = await asyncio.wait_for(waiting, 5)
    assert (answer.status_code, answer.json()["status"]) == (201, "queued")


async def test_cancel_while_queued(client: httpx.AsyncClient, draw: Draw) -> None:
    job = await create(client)
    answer = await client.delete(f"/v1/maximisations/{job['id']}")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    drawn: list[Any] = []
    draw(lambda *args, **kwargs: drawn.append(args))
    assert drawn == []
    assert (await client.delete(f"/v1/maximisations/{job['id']}")).json()["status"] == "cancelled"

    again = await client.post(URL, json=ASKED)
    assert (again.status_code, again.json()["status"]) == (201, "queued")
    draw()
    assert (await client.get(f"/v1/maximisations/{job['id']}")).json()["status"] == "done"


async def test_cancel_what_is_done(client: httpx.AsyncClient, draw: Draw) -> None:
    job = await create(client)
    draw()
    answer = await client.delete(f"/v1/maximisations/{job['id']}")
    assert (answer.status_code, answer.json()["status"]) == (200, "done")


async def test_a_failure_is_told_and_can_be_tried_again(
    client: httpx.AsyncClient, draw: Draw
) -> None:
    def cannot(*args: Any, **kwargs: Any) -> None:
        raise InvalidInput("steps went astray")

    job = await create(client)
    draw(cannot)
    failed = (await client.get(f"/v1/maximisations/{job['id']}")).json()
    assert (failed["status"], failed["error"]) == ("failed", "steps went astray")
    again = await client.post(URL, json=ASKED)
    assert (again.status_code, again.json()["error"]) == (201, None)


async def test_too_many_wait(client: httpx.AsyncClient, settings: Settings, draw: Draw) -> None:
    for seed in range(settings.max_waiting_jobs):
        await create(client, seed=seed)
    refused = await client.post(URL, json={**ASKED, "seed": 10**6})
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["type"] == "/problems/busy"
    known = await client.post(URL, json={**ASKED, "seed": 0})
    assert known.status_code == 200
    assert draw() == settings.max_waiting_jobs
    assert (await client.post(URL, json={**ASKED, "seed": 10**6})).status_code == 201


async def test_conditional_and_head(client: httpx.AsyncClient, draw: Draw) -> None:
    job = await create(client)
    path = f"/v1/maximisations/{job['id']}"
    queued = await client.get(path)
    etag = {"If-None-Match": queued.headers["etag"]}
    assert (await client.get(path, headers=etag)).status_code == 304
    assert (await client.head(path)).headers["etag"] == queued.headers["etag"]
    draw()
    assert (await client.get(path, headers=etag)).status_code == 200
