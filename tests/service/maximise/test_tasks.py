"""What a worker does with a job, whatever happens while it draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glyphscope import visualise
from glyphscope.checkpoint import load
from glyphscope.errors import Cancelled, InvalidInput
from glyphscope.folder import read_manifest
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest, UnitImage
from service.maximise.cache import Cache
from service.maximise.jobs import Jobs, Order, Status
from service.maximise.loaded import Loaded
from service.maximise.tasks import MAX_ATTEMPTS, Maximise, Tasks, library_maximise

ID = "b" * 40


@pytest.fixture
def enqueued() -> list[str]:
    return []


@pytest.fixture
def order(publish: Callable[..., Any], store: Store, jobs: Jobs) -> Order:
    """Queued."""
    publish()
    order = Order(
        id=ID,
        model="mnist",
        version=1,
        digest=read_manifest(store.root / "mnist" / "1").digest,
        request=MaximisationRequest(layer="logits", units=(2, 7), steps=20),
    )
    with jobs.lock(ID):
        jobs.create(order)
    return order


@pytest.fixture
def tasks(jobs: Jobs, store: Store, enqueued: list[str], order: Order) -> Callable[..., Tasks]:
    def tasks(maximise: Maximise = library_maximise, stopping: bool = False) -> Tasks:
        return Tasks(
            jobs,
            Loaded(store, "cpu"),
            enqueued.append,
            Cache(jobs, 2**30),
            stopping=lambda: stopping,
            maximise=maximise,
        )

    return tasks


def state(jobs: Jobs) -> Status:
    status = jobs.status(ID)
    assert status is not None
    return status


def test_drawn_as_the_library_draws(
    jobs: Jobs, tasks: Callable[..., Tasks], order: Order, store: Store
) -> None:
    tasks().run(ID)
    status = state(jobs)
    assert status.status == "done", status.error
    assert (status.step, status.attempts) == (status.steps, 1)
    assert [result.unit for result in status.results] == [2, 7]
    loaded = load(store.root / "mnist" / "1")
    for image in visualise.maximise(loaded, order.request):
        drawn = np.asarray(Image.open(jobs.picture(ID, image.unit)))
        np.testing.assert_array_equal(drawn, image.pixels[0])
    assert jobs.open_ids() == []


def test_a_finished_job_is_left_alone(jobs: Jobs, tasks: Callable[..., Tasks]) -> None:
    jobs.write(ID, Status(status="done"))
    tasks(never).run(ID)
    assert state(jobs) == Status(status="done")


def never(*args: Any, **kwargs: Any) -> list[UnitImage]:
    raise AssertionError("nothing was to be drawn")


def test_a_job_that_another_worker_has_is_left_alone(
    jobs: Jobs, tasks: Callable[..., Tasks]
) -> None:
    jobs.write(ID, Status(status="running", attempts=1))
    with jobs.lock(ID):
        tasks(never).run(ID)
    assert state(jobs).status == "running"


def test_an_unknown_job_is_nothing(tasks: Callable[..., Tasks], jobs: Jobs) -> None:
    tasks(never).run("c" * 40)
    assert jobs.status("c" * 40) is None


def test_progress_is_written_while_it_runs(jobs: Jobs, tasks: Callable[..., Tasks]) -> None:
    seen: list[tuple[str, int, int]] = []

    def watch(
        checkpoint: Any, request: Any, *, progress: Any, frame: Any, cancelled: Any
    ) -> list[UnitImage]:
        progress(5, 40)
        seen.append((state(jobs).status, state(jobs).step, state(jobs).steps))
        return []

    tasks(watch).run(ID)
    assert seen == [("running", 5, 40)]


def test_cancelled_while_it_runs(
    jobs: Jobs, tasks: Callable[..., Tasks], enqueued: list[str]
) -> None:
    def asked(
        checkpoint: Any, request: Any, *, progress: Any, frame: Any, cancelled: Any
    ) -> list[UnitImage]:
        assert not cancelled()
        jobs.ask_cancel(ID)
        assert cancelled()
        raise Cancelled("as asked")

    tasks(asked).run(ID)
    assert state(jobs).status == "cancelled"
    assert (jobs.open_ids(), enqueued) == ([], [])


def test_a_worker_that_stops_puts_the_job_back(
    jobs: Jobs, tasks: Callable[..., Tasks], enqueued: list[str]
) -> None:
    def stopped(
        checkpoint: Any, request: Any, *, progress: Any, frame: Any, cancelled: Any
    ) -> list[UnitImage]:
        assert cancelled()
        raise Cancelled("the worker has to go")

    tasks(stopped, stopping=True).run(ID)
    assert (state(jobs).status, state(jobs).attempts) == ("queued", 0)
    assert enqueued == [ID]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidInput("a layer without units"), "a layer without units"),
        (RuntimeError("secret path"), "internal error"),
        (MemoryError(), "internal error"),
    ],
)
def test_failures_are_told(
    jobs: Jobs, tasks: Callable[..., Tasks], error: Exception, told: str
) -> None:
    def fail(*args: Any, **kwargs: Any) -> list[UnitImage]:
        raise error

    tasks(fail).run(ID)
    assert state(jobs).status == "failed"
    assert told in (state(jobs).error or "")
    assert "secret" not in (state(jobs).error or "")


def test_a_version_that_is_another_network_by_now(
    jobs: Jobs, tasks: Callable[..., Tasks], order: Order
) -> None:
    with jobs.lock(ID):
        jobs.create(order.model_copy(update={"digest": "f" * 64}))
    tasks(never).run(ID)
    assert "no longer the network" in (state(jobs).error or "")


def test_a_version_that_is_gone(jobs: Jobs, tasks: Callable[..., Tasks], store: Store) -> None:
    (store.root / "mnist" / "1" / "manifest.json").unlink()
    tasks(never).run(ID)
    assert state(jobs).status == "failed"
    assert "mnist@1" in (state(jobs).error or "")


def test_a_number_that_json_lacks_becomes_null(jobs: Jobs, tasks: Callable[..., Tasks]) -> None:
    def infinite(*args: Any, **kwargs: Any) -> list[UnitImage]:
        return [UnitImage(2, float("inf"), None, False, np.zeros((1, 28, 28), np.uint8))]

    tasks(infinite).run(ID)
    assert state(jobs).results[0].activation is None


class TestRecover:
    def test_a_job_in_the_queue_stays(
        self, jobs: Jobs, tasks: Callable[..., Tasks], enqueued: list[str]
    ) -> None:
        tasks().recover({ID})
        assert (state(jobs).status, enqueued) == ("queued", [])

    def test_a_job_that_the_queue_lost(
        self, tasks: Callable[..., Tasks], enqueued: list[str]
    ) -> None:
        tasks().recover(set())
        assert enqueued == [ID]

    def test_a_job_whose_worker_died(
        self, jobs: Jobs, tasks: Callable[..., Tasks], enqueued: list[str]
    ) -> None:
        jobs.write(ID, Status(status="running", step=5, steps=20, attempts=1))
        tasks().recover(set())
        assert state(jobs) == Status(status="queued", steps=20, attempts=1)
        assert enqueued == [ID]

    def test_a_job_whose_worker_lives(
        self, jobs: Jobs, tasks: Callable[..., Tasks], enqueued: list[str]
    ) -> None:
        jobs.write(ID, Status(status="running", attempts=1))
        with jobs.lock(ID):
            tasks().recover(set())
        assert (state(jobs).status, enqueued) == ("running", [])

    def test_a_job_that_kills_its_workers(
        self, jobs: Jobs, tasks: Callable[..., Tasks], enqueued: list[str]
    ) -> None:
        jobs.write(ID, Status(status="running", attempts=MAX_ATTEMPTS))
        tasks().recover(set())
        assert state(jobs).status == "failed"
        assert f"died {MAX_ATTEMPTS} times" in (state(jobs).error or "")
        assert (jobs.open_ids(), enqueued) == ([], [])

    def test_a_job_cancelled_while_its_worker_died(
        self, jobs: Jobs, tasks: Callable[..., Tasks], enqueued: list[str]
    ) -> None:
        jobs.write(ID, Status(status="running", attempts=1))
        jobs.ask_cancel(ID)
        tasks().recover(set())
        assert (state(jobs).status, enqueued) == ("cancelled", [])

    def test_a_mark_without_a_job(self, jobs: Jobs, tasks: Callable[..., Tasks]) -> None:
        jobs.write(ID, Status(status="done"))
        (jobs.root / "open" / ID).touch()
        (jobs.root / "open" / ("d" * 40)).touch()
        tasks().recover(set())
        assert jobs.open_ids() == []
