"""Real processes under load: versions that move, workers that die or hang, and an end in order."""

import contextlib
import functools
import io
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from glyphscope.checkpoint import load
from glyphscope.predict import predict
from glyphscope.preprocess import to_tensor
from glyphscope.store import Store
from service.versions.presence import Presence
from tests.service.running import PATIENCE, plain

ROOT = Path(__file__).parents[2]
KEY = "a key for tests"
ADMIN = {"X-Admin-Key": KEY}
CLASSIFY = "/v1/models/mnist/classify"

pytestmark = pytest.mark.slow

WaitFor = Callable[[Callable[[], Any]], None]
Alive = Callable[[int], bool]
Digit = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    url: str
    store: Store
    state: Path
    log: Path

    def processes(self) -> list[dict[str, Any]]:
        return Presence(self.state, self.store.root).all()

    def pids(self) -> set[int]:
        return {each["pid"] for each in self.processes()}

    def replaced(self, before: set[int]) -> bool:
        """The process with the lowest id of ``before``, and no other."""
        now = self.pids()
        return len(now - before) == 1 and len(now) == len(before) and min(before) not in now

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


Start = Callable[..., contextlib.AbstractContextManager[Server]]
Publish = Callable[..., Any]


@contextlib.contextmanager
def serving(store: Store, publish: Publish, wait_for: WaitFor, **settings: Any) -> Iterator[Server]:
    """Serving mnist@1 from two processes, with mnist@2 there."""
    publish(seed=0)
    publish(seed=1, alias=None)
    state, log = store.root.parent / "state", store.root.parent / "log"
    chosen = {"workers": 2, "device": "cpu", "port": 0, "admin_key": KEY, **settings}
    environment = {f"GLYPHSCOPE_{name.upper()}": str(value) for name, value in chosen.items()}
    folders = ["--store", str(store.root), "--state", str(state)]
    command = [sys.executable, "-m", "service.cli", "--no-worker", *folders]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stderr=out, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}
        )

    def address() -> str | None:
        assert process.poll() is None, log.read_text()
        found = re.search(r"Glyphscope: (http://\S+)", log.read_text())
        return found[1] if found else None

    try:
        wait_for(address)
        server = Server(process, address() or "", store, state, log)
        wait_for(lambda: len(server.pids()) == chosen["workers"])
        yield server
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def start(store: Store, publish: Publish, wait_for: WaitFor) -> Start:
    return lambda **settings: serving(store, publish, wait_for, **settings)


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    publish_to: Callable[[Store], Publish],
    wait_for: WaitFor,
) -> Iterator[Server]:
    """One for all tests that leave it as it was, and it stops as it should."""
    store = Store(tmp_path_factory.mktemp("shared") / "store")
    with serving(store, publish_to(store), wait_for) as server:
        yield server
        assert server.stop() == 0


CLIENTS = 4


@dataclass
class Load:
    """Clients that classify without a pause. Each answer must be its version's."""

    url: str
    image: bytes
    energies: dict[int, float]
    statuses: Counter[Any] = field(default_factory=Counter)
    versions: Counter[int] = field(default_factory=Counter)
    wrong: list[Any] = field(default_factory=list)
    end: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self, clients: int = CLIENTS) -> Iterator["Load"]:
        threads = [threading.Thread(target=self._client, args=(i,)) for i in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.end.set()
            for thread in threads:
                thread.join(PATIENCE)
            assert not any(thread.is_alive() for thread in threads)

    def seen(self, version: int) -> bool:
        return self.versions[version] > 4

    def _client(self, number: int) -> None:
        # Every few requests a new connection, so that all processes are met, also new ones.
        for turn in itertools.count():
            with plain(self.url) as client:
                for step in range(8):
                    if self.end.is_set():
                        return
                    try:
                        self._ask(client, f"{number}-{turn}-{step}")
                    except httpx.TransportError as error:
                        self.statuses[type(error).__name__] += 1
                        break

    def _ask(self, client: httpx.Client, name: str) -> None:
        headers = {"Content-Type": "image/png", "X-Request-ID": name}
        answer = client.post(CLASSIFY, content=self.image, headers=headers)
        self.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            version = answer.json()["version"]
            [prediction] = answer.json()["predictions"]
            self.versions[version] += 1
            if abs(prediction["energy"] - self.energies[version]) > 1e-3:
                self.wrong.append(answer.json())
        elif "retry-after" not in answer.headers:
            self.wrong.append(answer.text)


@pytest.fixture
def load_on(digit: Digit, digit_png: bytes) -> Callable[[Server], Load]:
    def load_on(server: Server) -> Load:
        store = server.store
        energies = {version: energy(store, version, digit) for version in store.versions("mnist")}
        first, second, *_ = energies.values()
        assert abs(first - second) > 0.01
        return Load(server.url, digit_png, energies)

    return load_on


def energy(store: Store, version: int, digit: Digit) -> float:
    found = load(store.root / "mnist" / str(version))
    logits = found.network(to_tensor(digit[None, None], found.manifest.input, found.device))
    [prediction] = predict(logits, found.labels, found.manifest.calibration, 1)
    return prediction.energy


def promote(client: httpx.Client, version: int) -> dict[str, Any]:
    path = "/v1/models/mnist/aliases/production"
    answer = client.put(path, json={"version": version}, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_hundred_swaps_under_load(shared: Server, load_on: Callable[[Server], Load]) -> None:
    with plain(shared.url) as admin:
        with load_on(shared).running(2) as load:
            for swap in range(100):
                promote(admin, 2 - swap % 2)
        assert load.wrong == []
        assert set(load.statuses) == {200}
        assert set(load.versions) == {1, 2}
        assert "Traceback" not in shared.log.read_text()


def test_new_versions_are_published_and_dropped_under_load(
    start: Start, load_on: Callable[[Server], Load], publish: Callable[..., Any], wait_for: WaitFor
) -> None:
    """The trainer moves the alias itself; memory holds two versions."""
    with start(max_loaded=2) as server:
        load = load_on(server)
        load.energies = dict.fromkeys(range(1, 20), load.energies[1])
        load.energies |= {2: load_on(server).energies[2]}
        with load.running(2):
            for seed in (0, 0, 0):
                seen = functools.partial(load.seen, publish(seed=seed).version)
                wait_for(seen)
        assert load.wrong == []
        assert set(load.statuses) == {200}
        assert server.stop() == 0


def test_canary_and_shadow_over_all_processes(
    shared: Server, load_on: Callable[[Server], Load], wait_for: WaitFor
) -> None:
    with plain(shared.url) as admin:
        traffic = {"canary": {"to": "2", "percent": 30}, "shadow": {"to": "2", "percent": 50}}
        answer = admin.put("/v1/models/mnist/traffic", json=traffic, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        with load_on(shared).running() as load:
            wait_for(lambda: load.versions[1] > 40 and load.versions[2] > 10)

        def compared() -> int:
            found = admin.get("/v1/models/mnist/traffic", headers=ADMIN).json()["comparisons"]
            return sum(row["compared"] for row in found)

        wait_for(compared)
        assert load.wrong == []
        assert set(load.statuses) == {200}
        alone = admin.put("/v1/models/mnist/traffic", json={}, headers=ADMIN)
        assert alone.status_code == 200, alone.text


def test_a_killed_process_is_replaced_and_nobody_hangs(
    shared: Server, load_on: Callable[[Server], Load], wait_for: WaitFor
) -> None:
    with load_on(shared).running(2) as load:
        for _ in range(3):
            wait_for(lambda: len(shared.pids()) == 2)
            before = shared.pids()
            os.kill(min(before), signal.SIGKILL)
            wait_for(functools.partial(shared.replaced, before))
    assert load.wrong == []
    # Who was connected to the process that died sees its connection end, at once.
    assert set(load.statuses) <= {200, 503, "ReadError", "RemoteProtocolError", "ConnectError"}


def test_a_process_that_hangs_is_replaced(start: Start, wait_for: WaitFor, alive: Alive) -> None:
    with start(hang_seconds=5) as server:
        victim = min(server.pids())
        os.kill(victim, signal.SIGSTOP)
        wait_for(lambda: not alive(victim))
        wait_for(lambda: len(server.pids() - {victim}) == 2)
        assert "silent" in server.log.read_text()
        assert server.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load(
    start: Start, load_on: Callable[[Server], Load], wait_for: WaitFor, workers: int
) -> None:
    with start(workers=workers, drain_delay_seconds=1) as server:
        with load_on(server).running() as load:
            wait_for(lambda: load.versions[1] > 20)
            assert server.stop() == 0
        assert load.wrong == []
        # Refused once nobody listens; all that was let in is answered. Who stands in the kernel's
        # queue while it closes is reset: each client at most once a socket.
        assert set(load.statuses) <= {200, 503, "ConnectError", "ReadError"}
        assert load.statuses["ReadError"] <= CLIENTS * workers
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url)
        assert "Traceback" not in server.log.read_text()


def test_what_runs_at_sigterm_is_answered(start: Start, digit: Digit, wait_for: WaitFor) -> None:
    batch = np.repeat(digit[None], 1000, axis=0)
    sent = npy(batch)
    with start(workers=1) as server:
        statuses: list[int | str] = []

        def ask() -> None:
            headers = {"Content-Type": "application/x-npy"}
            path = "/v1/models/mnist/activations?format=json&values=statistics"
            try:
                with plain(server.url) as client:
                    answer = client.post(path, content=sent, headers=headers)
            except httpx.ConnectError:
                statuses.append("too late")
            else:
                statuses.append(answer.status_code)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        wait_for(lambda: any(each["lifecycle"]["requests"] for each in server.processes()))
        assert server.stop() == 0
        for thread in threads:
            thread.join(PATIENCE)
        assert len(statuses) == 6
        # Who had not connected by then finds nobody; everybody else is answered.
        assert set(statuses) <= {200, 503, "too late"}
        assert 200 in statuses


def npy(values: Digit) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def test_saturated_it_refuses_at_once_and_lives(start: Start, digit: Digit) -> None:
    sent = npy(np.repeat(digit[None], 1000, axis=0))
    headers = {"Content-Type": "application/x-npy"}
    with start(workers=1, max_waiting_images=1500, max_requests=8) as server:
        found: Counter[int] = Counter()
        unhelpful: list[str] = []
        end = threading.Event()

        def saturate() -> None:
            path = "/v1/models/mnist/activations?values=statistics"
            with plain(server.url) as client:
                while not end.is_set():
                    answer = client.post(path, content=sent, headers=headers)
                    found[answer.status_code] += 1
                    if answer.status_code == 503 and answer.headers.get("retry-after") != "1":
                        unhelpful.append(answer.text)

        threads = [threading.Thread(target=saturate) for _ in range(12)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE
        with plain(server.url) as other:
            while (found[503] < 20 or found[200] < 3) and time.monotonic() < deadline:
                assert other.get("/health/live").status_code == 200
        end.set()
        for thread in threads:
            thread.join(PATIENCE)
        assert set(found) == {200, 503}
        assert unhelpful == []
        assert server.stop() == 0


def test_deadlines_over_a_real_connection(start: Start, digit_png: bytes, digit: Digit) -> None:
    sent = npy(np.repeat(digit[None], 1000, axis=0))
    with start(workers=1) as server, plain(server.url) as client:

        def slow_body() -> Iterator[bytes]:
            yield digit_png[:20]
            time.sleep(0.2)  # as a client on a bad line
            yield digit_png[20:]

        for body, path in ((slow_body(), CLASSIFY), (sent, "/v1/models/mnist/activations")):
            kind = "application/x-npy" if body is sent else "image/png"
            headers = {"Content-Type": kind, "X-Request-Timeout": "0.001"}
            answer = client.post(path, content=body, headers=headers)
            assert answer.status_code == 504, answer.text
            assert answer.json()["type"] == "/problems/deadline-passed"
        bad = client.get("/v1/models", headers={"X-Request-Timeout": "soon"})
        assert bad.status_code == 422


def test_sighup_looks_at_the_store(start: Start, wait_for: WaitFor) -> None:
    with start(watch_seconds=60) as server:
        pids = server.pids()
        server.store.set_alias("mnist", "production", 2)
        server.process.send_signal(signal.SIGHUP)

        def moved() -> bool:
            serving = [each["serving"] for each in server.processes()]
            return serving == [{"mnist": {"production": 2}}] * 2

        wait_for(moved)
        wait_for(lambda: server.pids() == pids)


def test_the_admin_port(start: Start) -> None:
    with start(admin_port=0) as server:
        found = re.search(r"admin: (http://\S+)", server.log.read_text())
        assert found
        path = "/v1/models/mnist/traffic"
        with plain(server.url) as client:
            assert client.get(path, headers=ADMIN).status_code == 404
        with plain(found[1]) as admin:
            assert admin.get(path, headers=ADMIN).status_code == 200
            assert admin.get(path).status_code == 401
            assert promote(admin, 2)["late"] == []
        assert server.stop() == 0
