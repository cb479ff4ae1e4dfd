"""One worker process: started, started again when it dies, and gone when its server is."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from service.maximise.supervisor import Supervisor

# Leaves its process id, then waits as the worker does: for a signal, or for the end of its input.
CHILD = (
    "import os, sys, uuid; from pathlib import Path\n"
    "Path(os.environ['LOG'], f'{os.getpid()}').touch()\n"
    "sys.stdin.read()"
)


WaitFor = Callable[[Callable[[], bool]], None]
Alive = Callable[[int], bool]


def pids(log: Path) -> list[int]:
    """Oldest first."""
    paths = sorted(log.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [int(path.name) for path in paths]


def test_started_again_and_stopped(tmp_path: Path, wait_for: WaitFor, alive: Alive) -> None:
    command = [sys.executable, "-c", CHILD]
    with Supervisor({"LOG": str(tmp_path)}, command):
        wait_for(lambda: len(pids(tmp_path)) == 1)
        [first] = pids(tmp_path)
        os.kill(first, 9)
        wait_for(lambda: len(pids(tmp_path)) == 2)
        second = pids(tmp_path)[-1]
        assert alive(second)
    assert not alive(second)


def test_a_worker_that_does_not_listen_is_killed(
    tmp_path: Path, wait_for: WaitFor, alive: Alive
) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + CHILD
    with Supervisor({"LOG": str(tmp_path)}, [sys.executable, "-c", deaf], patience=0.2):
        wait_for(lambda: len(pids(tmp_path)) == 1)
        [pid] = pids(tmp_path)
    assert not alive(pid)


def test_the_worker_ends_with_a_server_that_is_killed(
    tmp_path: Path, wait_for: WaitFor, alive: Alive
) -> None:
    script = (
        "import sys, time; from service.maximise.supervisor import Supervisor\n"
        f"with Supervisor({{'LOG': {str(tmp_path)!r}}}, [sys.executable, '-c', {CHILD!r}]):\n"
        "    time.sleep(60)"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", script], cwd=root) as server:
        wait_for(lambda: len(pids(tmp_path)) == 1)
        [pid] = pids(tmp_path)
        server.kill()
    wait_for(lambda: not alive(pid))
