"""Least recently used first, never an open one, and below its bound."""

import os
from collections.abc import Callable

import pytest

from glyphscope.visualise import MaximisationRequest
from service.maximise.cache import Cache
from service.maximise.jobs import Jobs, Order, Status

SIZE = 64 * 1024

Put = Callable[..., str]


@pytest.fixture
def put(jobs: Jobs) -> Put:
    """A finished job with one file of ``SIZE``, last used at ``used``."""

    def put(name: str, used: int, status: str = "done") -> str:
        job_id = name * 40
        request = MaximisationRequest(layer="conv1", units=(0,), steps=8)
        with jobs.lock(job_id):
            jobs.create(Order(id=job_id, model="m", version=1, digest="0" * 64, request=request))
        jobs.picture(job_id, 0).write_bytes(os.urandom(SIZE))
        jobs.write(job_id, Status.model_validate({"status": status}))
        os.utime(jobs.root / job_id, (used, used))
        return job_id

    return put


def test_the_least_recently_used_go_first(jobs: Jobs, put: Put) -> None:
    ids = [put(name, used) for name, used in (("a", 30), ("b", 10), ("c", 20), ("d", 40))]
    jobs.used(ids[1])
    most = sum(jobs.footprint(one)[1] for one in ids)
    assert Cache(jobs, most).evict() == 1
    assert set(jobs.finished_ids()) == {ids[0], ids[1], ids[3]}


def test_an_open_one_stays_whatever_it_takes(jobs: Jobs, put: Put) -> None:
    running, done = put("a", 10, "running"), put("b", 20)
    Cache(jobs, 1).evict()
    assert jobs.open_ids() == [running]
    assert jobs.picture(running, 0).exists()
    assert jobs.status(done) is None


def test_what_was_just_drawn_stays(jobs: Jobs, put: Put) -> None:
    put("a", 10)
    new = put("b", 5)
    Cache(jobs, 1).grown(new)
    assert jobs.finished_ids() == [new]


def test_two_workers_never_pass_the_bound(jobs: Jobs, put: Put) -> None:
    most = 100 * SIZE
    caches = [Cache(jobs, most, lambda: 2), Cache(jobs, most, lambda: 2)]
    for i in range(80):
        for j, cache in enumerate(caches):
            job_id = f"{i * 2 + j:040x}"
            request = MaximisationRequest(layer="conv1", units=(0,), steps=8)
            with jobs.lock(job_id):
                jobs.create(
                    Order(id=job_id, model="m", version=1, digest="0" * 64, request=request)
                )
            jobs.picture(job_id, 0).write_bytes(bytes(SIZE))
            jobs.write(job_id, Status(status="done"))
            cache.grown(job_id)
        total = sum(jobs.footprint(one)[1] for one in jobs.finished_ids())
        assert total <= most
    assert jobs.status(f"{159:040x}") is not None
    assert jobs.status(f"{0:040x}") is None


def test_a_look_is_taken_only_when_it_could_matter(
    jobs: Jobs, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    now = 0.0
    cache = Cache(jobs, 2**30, clock=lambda: now)
    monkeypatch.setattr(cache, "evict", lambda spare: looks.append(now))
    for name in "abcdef":
        cache.grown(put(name, 1))
    assert looks == [0.0]
    now = 700.0
    cache.grown(put("a", 1))
    assert looks == [0.0, 700.0]
