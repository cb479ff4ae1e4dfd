"""Created once, waited for, drawn, read, cancelled: over HTTP, with a worker that draws at once."""

import asyncio
import base64
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from glyphscope.checkpoint import load
from glyphscope.errors import InvalidInput
from glyphscope.folder import read_manifest
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest, UnitImage, digest, resolve, score
from service.document import schemas
from service.maximise import pictures
from service.runtime import Runtime
from service.settings import Settings

URL = "/v1/models/mnist/maximisations"

ASKED = {"layer": "conv1", "units": [3, 0], "steps": 16}

Draw = Callable[..., int]
WaitFor = Callable[[Callable[[], Any]], None]


async def create(client: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    document: dict[str, Any] = (await client.post(URL, json={**ASKED, **asked})).json()
    return document


async def test_an_objective_of_terms(client: httpx.AsyncClient, draw: Draw) -> None:
    terms = [{"kind": "channel", "weight": 2}, {"kind": "layer", "layer": "conv2", "weight": -0.5}]
    first = await client.post(URL, json={**ASKED, "objective": terms})
    assert first.status_code == 201, first.text
    document = schemas.Maximisation.model_validate(first.json())
    assert isinstance(document.objective, list)
    assert [each["weight"] for each in document.objective] == [2.0, -0.5]
    assert document.objective == document.request["objective"]
    draw()
    assert (await client.get(f"/v1/maximisations/{document.id}")).json()["status"] == "done"


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


async def watched(
    client: httpx.AsyncClient, job_id: str, last: str = "", **asked: Any
) -> list[Any]:
    """(id, name, data) of a stream that ends."""
    headers = {"Last-Event-ID": last} if last else {}
    path = f"/v1/maximisations/{job_id}/events"
    answer = await client.get(path, params=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    found = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "event" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


async def test_events_end_with_the_document(client: httpx.AsyncClient, draw: Draw) -> None:
    job = await create(client)
    draw()
    told = await watched(client, job["id"], frames=True)
    assert {name for _, name, _ in told} == {"progress", "frame", "done"}
    document = (await client.get(f"/v1/maximisations/{job['id']}")).json()
    assert told[-1][1:] == ("done", document)
    [first, *_] = [data for _, name, data in told if name == "frame"]
    assert (first["step"], first["steps"]) == (0, 16)
    assert [image["unit"] for image in first["images"]] == [3, 0]
    data = first["images"][0]["image"].removeprefix("data:image/png;base64,")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)), formats=["PNG"]))
    np.testing.assert_array_equal(shown, np.full((28, 28), 1, np.uint8))


async def test_events_go_on_behind_the_last_one(client: httpx.AsyncClient, draw: Draw) -> None:
    job = await create(client)
    draw()
    told = await watched(client, job["id"], frames=True)
    for i, (event_id, _, _) in enumerate(told[:-1]):
        assert await watched(client, job["id"], event_id, frames=True) == told[i + 1 :]
    path = f"/v1/maximisations/{job['id']}/events"
    over = await client.get(path, headers={"Last-Event-ID": told[-1][0]})
    assert (over.status_code, over.content) == (204, b"")
    assert await watched(client, job["id"], "nonsense", frames=True) == told


async def test_events_of_what_failed_or_was_cancelled(
    client: httpx.AsyncClient, draw: Draw
) -> None:
    def cannot(*args: Any, **kwargs: Any) -> None:
        raise InvalidInput("steps went astray")

    failed, cancelled = await create(client), await create(client, seed=1)
    await client.delete(f"/v1/maximisations/{cancelled['id']}")
    draw(cannot)
    told = await watched(client, failed["id"])
    assert (told[-1][1], told[-1][2]["error"]) == ("failed", "steps went astray")
    told = await watched(client, cancelled["id"])
    assert [name for _, name, _ in told] == ["cancelled"]


async def test_events_that_are_not_there(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/v1/maximisations/{'0' * 40}/events")).status_code == 404
    assert (await client.get("/v1/maximisations/open/events")).status_code == 404
    job = await create(client)
    path = f"/v1/maximisations/{job['id']}/events"
    refused = await client.get(path, params={"frames": "many"})
    assert (refused.status_code, "frames" in refused.json()["detail"]) == (422, True)
    head = await client.head(path)
    assert head.status_code == 200
    assert head.headers["content-type"].startswith("text/event-stream")


async def test_the_place_in_the_queue(client: httpx.AsyncClient, draw: Draw) -> None:
    jobs = [await create(client, seed=seed) for seed in range(3)]
    assert [job["position"] for job in jobs] == [0, 1, 2]
    await client.delete(f"/v1/maximisations/{jobs[0]['id']}")
    last = (await client.get(f"/v1/maximisations/{jobs[2]['id']}")).json()
    assert last["position"] == 1
    draw()
    last = (await client.get(f"/v1/maximisations/{jobs[2]['id']}")).json()
    assert (last["status"], last["position"]) == ("done", None)


async def test_films_and_the_animation(client: httpx.AsyncClient, draw: Draw) -> None:
    job = await create(client)
    early = await client.get(f"/v1/maximisations/{job['id']}/animation.webp")
    assert early.status_code == 409
    draw()
    done = (await client.get(f"/v1/maximisations/{job['id']}")).json()
    film = pixels(await client.get(done["results"][0]["film"]))
    assert film.shape == (28, 28 * len(done["frames"]))
    assert film[0, ::28].tolist() == [*done["frames"][:-1], 3]

    answer = await client.get(done["animation"], params={"scale": 2})
    assert answer.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content), formats=["WEBP"]) as moving:
        frames = moving.n_frames  # type: ignore[attr-defined]
        assert (frames, moving.size) == (len(done["frames"]), (114, 56))
        first = np.asarray(moving.convert("L"))
        moving.seek(frames - 1)
        last = np.asarray(moving.convert("L"))
    assert (first[:, :56] == done["frames"][0]).all()
    sheet = pixels(await client.get(done["grid"], params={"scale": 2}))
    np.testing.assert_array_equal(last, sheet)


async def test_a_hit_reads_the_bytes_that_were_encoded(
    client: httpx.AsyncClient, draw: Draw, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each size; and a client that has them costs no reading at all."""
    job = await create(client)
    draw()
    home = f"/v1/maximisations/{job['id']}"
    paths = ["units/3.png?scale=8", "units/3/film.png", "grid.png?scale=2", "animation.webp"]
    first = [await client.get(f"{home}/{path}") for path in paths]
    assert {answer.status_code for answer in first} == {200}

    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(pictures, "png", never)
    monkeypatch.setattr(pictures, "webp", never)
    again = [await client.get(f"{home}/{path}") for path in paths]
    assert [answer.content for answer in again] == [answer.content for answer in first]
    assert len({answer.headers["etag"] for answer in first}) == len(paths)

    monkeypatch.setattr(pictures.Pictures, "_kept", never)
    monkeypatch.setattr(runtime.maximisations, "read", never)
    for path, answer in zip(paths, first, strict=True):
        known = {"If-None-Match": answer.headers["etag"]}
        assert (await client.get(f"{home}/{path}", headers=known)).status_code == 304


async def test_a_score_stands_beside_each_picture(
    client: httpx.AsyncClient, draw: Draw, store: Store
) -> None:
    job = await create(client)
    draw()
    done = schemas.Maximisation.model_validate(
        (await client.get(f"/v1/maximisations/{job['id']}")).json()
    )
    checkpoint = load(store.root / "mnist" / "1")
    flat = [
        UnitImage(unit, unit + 0.5, None, False, np.full((1, 28, 28), unit, np.uint8))
        for unit in (3, 0)
    ]
    request = resolve(checkpoint.network, MaximisationRequest.model_validate(ASKED))
    for result, expected in zip(done.results, score(checkpoint, request, flat), strict=True):
        found = result.score
        assert found.ratio == expected.ratio
        assert found.r == pytest.approx(expected.r)
        assert found.r is not None
        assert found.high_frequency == pytest.approx(expected.high_frequency)
        assert found.total_variation == pytest.approx(expected.total_variation)
        assert expected.nearest is not None
        assert found.nearest is not None
        assert found.nearest.index == expected.nearest.index
        assert found.nearest.label == str(expected.nearest.label)
        if found.nearest.image:
            assert (await client.get(found.nearest.image)).headers["content-type"] == "image/png"


async def test_what_was_evicted_is_drawn_again(
    client: httpx.AsyncClient, draw: Draw, runtime: Runtime
) -> None:
    job = await create(client)
    draw()
    image = f"/v1/maximisations/{job['id']}/units/3.png"
    before = await client.get(image)
    assert runtime.maximisations.jobs.evict(job["id"])
    assert (await client.get(image)).status_code == 404
    assert (await client.get(image, headers={"If-None-Match": "*"})).status_code == 404
    assert (await client.post(URL, json=ASKED)).status_code == 201
    draw()
    after = await client.get(image)
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
