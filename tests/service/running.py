"""Real processes of the service: started on a free port, asked over HTTP, stopped by signals."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx

ROOT = Path(__file__).parents[2]

PATIENCE = 240.0

Start = Callable[..., contextlib.AbstractContextManager["Server"]]
WaitFor = Callable[[Callable[[], Any]], None]
Alive = Callable[[int], bool]


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    client: httpx.Client
    log: Path
    state: Path

    @property
    def url(self) -> str:
        return str(self.client.base_url)

    def worker(self) -> int | None:
        """The process id of its worker, once there is one."""
        files = sorted((self.state / "workers").glob("*"), key=lambda path: path.stat().st_mtime)
        return int(files[-1].name.rpartition("-")[2]) if files else None

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/v1/maximisations/{job_id}").json()
        return found

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def running(
    folder: Path, wait_for: WaitFor, options: Sequence[str], state: str, **settings: str
) -> Iterator[Server]:
    """Serving ``folder/store``; see ``serve``."""
    log = folder / f"log-{time.monotonic_ns()}"
    with log.open("wb") as out, serve(folder, state, options, out, **settings) as process:
        try:
            wait_for(lambda: address(process, log))
            url = address(process, log) or ""
            with plain(url) as client:
                yield Server(process, client, log, folder / state)
        finally:
            process.kill()


def serve(
    folder: Path, state: str, options: Sequence[str], stderr: BinaryIO | int, **settings: str
) -> subprocess.Popen[bytes]:
    """One process on the CPU, unless ``options`` or ``settings`` say otherwise; one that is empty
    is the server's own choice."""
    chosen = {"workers": "1", "device": "cpu", **settings}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment |= {f"GLYPHSCOPE_{name.upper()}": value for name, value in chosen.items() if value}
    folders = ["--store", str(folder / "store"), "--state", str(folder / state)]
    command = [sys.executable, "-m", "service.cli", "--port", "0", *folders, *options]
    return subprocess.Popen(command, stderr=stderr, env=environment)


def plain(url: str) -> httpx.Client:
    """Without TLS, whose certificates take 50 ms of work to read for every client that has it."""
    return httpx.Client(base_url=url, timeout=PATIENCE, verify=False)


def address(process: subprocess.Popen[bytes], log: Path) -> str | None:
    assert process.poll() is None, log.read_text()
    found = re.search(r"Glyphscope: (http://\S+)", log.read_text())
    return found[1] if found else None
