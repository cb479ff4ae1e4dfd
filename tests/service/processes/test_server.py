"""The real commands: a server on a free port with its worker process, and signals from outside."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch

from tests.service.running import PATIENCE, Alive, Server, Start, WaitFor, plain, serve

URL = "/v1/models/mnist/maximisations"

SHORT = {"layer": "logits", "units": [3], "steps": 16}
LONG = {"layer": "conv2", "units": "all", "steps": 4096}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(start: Start) -> Iterator[Server]:
    """One for all tests that leave it as it was."""
    with start(state="shared") as server:
        yield server


def classify(client: httpx.Client, image: bytes) -> httpx.Response:
    headers = {"Content-Type": "image/png"}
    return client.post("/v1/models/mnist/classify", content=image, headers=headers)


def test_a_day_in_its_life(start: Start, digit_png: bytes, alive: Alive, wait_for: WaitFor) -> None:
    with start(state="day") as server:
        assert server.client.get("/health/ready").json()["status"] == "ready"
        assert classify(server.client, digit_png).status_code == 200
        created = server.client.post(URL, json=SHORT, headers={"Prefer": "wait=60"})
        assert created.status_code == 201
        wait_for(lambda: server.job(created.json()["id"])["status"] == "done")
        done = server.job(created.json()["id"])
        picture = server.client.get(done["results"][0]["image"])
        assert picture.content.startswith(b"\x89PNG")
        worker = server.worker()
        assert worker is not None
        assert server.stop() == 0
        assert not alive(worker)
        assert "Traceback" not in server.log.read_text()

    with start("--no-worker", state="day") as server:
        again = server.client.post(URL, json=SHORT)
        assert (again.status_code, again.json()) == (200, done)
        assert server.client.get(done["results"][0]["image"]).content == picture.content
        assert server.stop() == 0


def test_classifies_while_a_maximisation_runs_and_is_cancelled(
    server: Server, digit_png: bytes, wait_for: WaitFor
) -> None:
    job = server.client.post(URL, json=LONG).json()["id"]
    wait_for(lambda: server.job(job)["step"] > 0)
    for _ in range(20):
        assert classify(server.client, digit_png).status_code == 200
    assert server.job(job)["status"] == "running"

    cancelled = server.client.delete(f"/v1/maximisations/{job}")
    assert cancelled.status_code == 200
    wait_for(lambda: server.job(job)["status"] == "cancelled")
    after = server.client.post(URL, json=SHORT).json()["id"]
    wait_for(lambda: server.job(after)["status"] == "done")


def test_a_job_outlives_its_worker(server: Server, wait_for: WaitFor) -> None:
    asked = {"layer": "conv2", "units": [1], "steps": 800}
    job = server.client.post(URL, json=asked).json()["id"]
    wait_for(lambda: server.job(job)["step"] > 0)
    first = server.worker()
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert server.job(job)["status"] == "running"
    wait_for(lambda: server.job(job)["status"] in ("done", "failed"))
    assert server.job(job)["status"] == "done"
    assert server.worker() != first


def test_a_port_in_use(server: Server, folder: Path) -> None:
    port = str(server.client.base_url.port)
    with serve(folder, "shared", ["--no-worker", "--port", port], subprocess.PIPE) as second:
        _, told = second.communicate(timeout=PATIENCE)
    assert second.returncode == 1
    [line] = told.decode().splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "--port" in line


def test_a_body_too_large_over_a_real_connection(server: Server, digit_png: bytes) -> None:
    refused = server.client.post(
        "/v1/models/mnist/classify",
        content=bytes(40_000_000),
        headers={"Content-Type": "image/png"},
    )
    assert refused.status_code == 413
    assert refused.headers["content-type"] == "application/problem+json"
    assert classify(server.client, digit_png).status_code == 200


def test_what_ran_at_sigterm_goes_on_at_the_next_start_and_ends_with_a_killed_server(
    start: Start, wait_for: WaitFor, alive: Alive
) -> None:
    asked = {"layer": "conv2", "units": [2], "steps": 800}
    with start(state="restart") as server:
        job = server.client.post(URL, json=asked).json()["id"]
        wait_for(lambda: server.job(job)["step"] > 0)
        assert server.stop() == 0
        status = (server.state / "maximisations" / job / "status.json").read_text()
        assert '"queued"' in status
        assert '"attempts":0' in status
    with start(state="restart") as server:
        wait_for(lambda: server.job(job)["status"] == "done")
        worker = server.worker()
        assert worker is not None
        server.process.kill()
        wait_for(lambda: not alive(worker))


WAITER = """
import sys, httpx
asked = {"layer": "logits", "units": [4], "steps": 16}
answer = httpx.post(sys.argv[1], json=asked, headers={"Prefer": "wait=60"}, timeout=60)
print(answer.status_code, answer.json()["status"])
"""


def test_sigterm_does_not_wait_for_those_who_wait(start: Start, wait_for: WaitFor) -> None:
    with start("--no-worker", state="waiting") as server:
        url = str(server.client.base_url.join(URL))
        command = [sys.executable, "-c", WAITER, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiter:
            wait_for(lambda: list((server.state / "maximisations" / "open").iterdir()))
            assert server.stop() == 0
            out, _ = waiter.communicate(timeout=PATIENCE)
        assert out == "201 queued\n"


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """What is started inside has no other."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(own)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
@pytest.mark.skipif(torch.cuda.is_available(), reason="there it is one a GPU")
def test_by_default_one_a_core_each_replaced_when_it_dies(start: Start, wait_for: WaitFor) -> None:
    with contextlib.ExitStack() as stack:
        with one_core():
            options = {"state": "default", "workers": "", "device": ""}
            server = stack.enter_context(start("--no-worker", **options))

        def pids() -> set[int]:
            with plain(server.url) as client:
                return {each["pid"] for each in client.get("/v1/status").json()["processes"]}

        wait_for(lambda: len(pids()) == 1)
        [first] = pids()
        assert first != server.process.pid
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: len(pids() - {first}) == 1)
        assert server.stop() == 0
