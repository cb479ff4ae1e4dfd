"""Real processes: replaced when they die, ended with their parent, none after a bad start."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.processes.listeners import DEALS, listen
from service.processes.workers import STARTUP_FAILURE, Place

ROOT = Path(__file__).parents[3]

SCRIPT = """
import contextlib, multiprocessing, os, select, signal, sys
from service.processes.listeners import listen
from service.processes.workers import Workers, forked, warm

def serve(index, listener, beat):
    # Answers each connection with its process id.
    if sys.argv[1] == "crash" and os.path.exists("crash"):
        sys.exit(1)
    if sys.argv[1] == "hang":
        beat()  # and never again
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if sys.argv[1] == "refuse":
        sys.exit(3)
    if sys.argv[1] == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    begun = sys.argv[1] == "half" and index == 0
    if begun:
        signal.signal(signal.SIGHUP, lambda *_: open("told", "w").close())
    listener.listen()
    listener.setblocking(False)
    while True:
        if begun:
            beat()
        select.select([listener], [], [], 0.2)
        with contextlib.suppress(BlockingIOError), listener.accept()[0] as connection:
            connection.sendall(str(os.getpid()).encode())

if __name__ == "__main__":
    listeners = listen("127.0.0.1", 0, 2)
    print(listeners[0].getsockname()[1], flush=True)
    patience = 0.5 if sys.argv[1] == "deaf" else 60
    context, first = forked("json"), None
    if sys.argv[1] == "early":
        context, first = forked("gated"), multiprocessing.get_context("spawn")
        warm()
    sys.exit(Workers(serve, listeners, patience, context, 1, first=first).run())
"""

Run = Callable[[str], tuple["subprocess.Popen[str]", int]]
WaitFor = Callable[[Callable[[], Any]], None]
Alive = Callable[[int], bool]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    started: list[subprocess.Popen[str]] = []

    def run(how: str) -> tuple["subprocess.Popen[str]", int]:
        process = subprocess.Popen(
            [sys.executable, str(script), how],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
        )
        started.append(process)
        assert process.stdout is not None
        port = process.stdout.readline()
        assert port, "it did not start"
        return process, int(port)

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def ask(port: int) -> int:
    """The process id of who answers, 0 where the connection breaks or is refused."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            return int(connection.recv(100) or 0)
    except (ConnectionError, ValueError):
        return 0


def ask_both(port: int, wait_for: WaitFor) -> set[int]:
    found: set[int] = set()

    def both() -> bool:
        found.add(ask(port))
        return len(found - {0}) == 2

    wait_for(both)
    return found - {0}


def test_serves_and_stops(run: Run, wait_for: WaitFor, alive: Alive) -> None:
    process, port = run("serve")
    pids = ask_both(port, wait_for)
    process.terminate()
    assert process.wait(60) == 0
    assert not any(alive(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere none is forked")
def test_the_first_serves_while_others_are_imported_for(
    run: Run, wait_for: WaitFor, tmp_path: Path
) -> None:
    """Were the second listening by then, half of these connections would wait for it."""
    os.mkfifo(tmp_path / "gate")
    (tmp_path / "gated.py").write_text("open('gate').read()")
    process, port = run("early")
    [first] = {ask(port) for _ in range(16)}
    with (tmp_path / "gate").open("w"):
        assert ask(port) == first
    assert first in ask_both(port, wait_for)
    process.terminate()
    assert process.wait(60) == 0


def test_sighup_is_for_those_that_have_begun(run: Run, wait_for: WaitFor, tmp_path: Path) -> None:
    """The second of these never says that it has, and the signal would end it."""
    process, port = run("half")
    pids = ask_both(port, wait_for)

    def told() -> bool:
        process.send_signal(signal.SIGHUP)
        return (tmp_path / "told").exists()

    wait_for(told)
    assert ask_both(port, wait_for) == pids
    process.terminate()
    assert process.wait(60) == 0


def test_a_place_that_nobody_served_yet_is_not_watched() -> None:
    """Nobody can wait there, and to the system it is always ready."""
    with contextlib.ExitStack() as stack:
        first, second = map(stack.enter_context, listen("127.0.0.1", 0, 2))
        assert Place(0, first).listens
        assert Place(1, second).listens is not DEALS
        second.listen()
        assert Place(1, second).listens


def test_a_killed_one_is_replaced(run: Run, wait_for: WaitFor) -> None:
    process, port = run("serve")
    first = ask_both(port, wait_for)
    victim = min(first)
    os.kill(victim, signal.SIGKILL)
    seen: set[int] = set()

    def replaced() -> bool:
        seen.add(ask(port))
        return bool(seen - first - {0})

    wait_for(replaced)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


@pytest.mark.slow
def test_a_silent_one_is_replaced(run: Run, wait_for: WaitFor, alive: Alive) -> None:
    process, port = run("hang")
    seen: set[int] = set()

    def replaced() -> bool:
        seen.add(ask(port))
        return len(seen - {0}) > 2

    wait_for(replaced)
    process.terminate()
    assert process.wait(60) == 0
    assert not any(alive(pid) for pid in seen - {0})


@pytest.mark.slow
def test_a_place_that_stays_empty_says_so(run: Run, wait_for: WaitFor, tmp_path: Path) -> None:
    process, port = run("crash")
    pids = ask_both(port, wait_for)
    (tmp_path / "crash").touch()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    told: list[bytes] = []

    def refused() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            with contextlib.suppress(OSError), connection.makefile("rb") as answer:
                told.append(answer.read())
        return b"503" in b"".join(told)

    wait_for(refused)
    head, _, body = told[-1].partition(b"\r\n\r\n")
    assert b"Retry-After: 1" in head
    assert b"Connection: close" in head
    assert json.loads(body)["status"] == 503
    (tmp_path / "crash").unlink()
    assert not ask_both(port, wait_for) & pids
    process.terminate()
    assert process.wait(60) == 0


def test_ends_with_a_killed_parent(run: Run, wait_for: WaitFor, alive: Alive) -> None:
    process, port = run("serve")
    pids = ask_both(port, wait_for)
    process.kill()
    wait_for(lambda: not any(alive(pid) for pid in pids))


def test_one_that_cannot_start_stops_all(run: Run) -> None:
    process, _ = run("refuse")
    assert process.wait(120) == STARTUP_FAILURE


def test_one_that_does_not_stop_is_killed(run: Run, wait_for: WaitFor, alive: Alive) -> None:
    process, port = run("deaf")
    pids = ask_both(port, wait_for)
    process.terminate()
    assert process.wait(60) == 0
    assert not any(alive(pid) for pid in pids)
