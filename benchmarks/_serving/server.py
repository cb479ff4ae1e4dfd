"""A server under test: pinned to one core, waited for, weighed and stopped."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks._serving.bodies import Body
from benchmarks._serving.card import Card
from benchmarks._serving.contenders import ROOT, SERVERS, Contender

START_SECONDS = 300.0
REFUSED_SECONDS = 30.0
SETTLE_SECONDS = 30
IDLE = 0.05
"""Of a core."""


@dataclass
class Running:
    contender: Contender
    url: str
    process: "subprocess.Popen[bytes]"
    seconds: float
    """From its start to the first answer."""

    def post(self, path: str, body: Body) -> bytes:
        headers = {"Content-Type": body.media_type, **dict(body.headers)}
        request = urllib.request.Request(self.url + path, body.data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: bytes = answer.read()
        return found

    def memory(self) -> float:
        """MiB of all its processes, shared pages by their share."""
        total = 0
        for pid in _tree(self.process.pid):
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024

    def cpu_seconds(self) -> float:
        """Of all its processes that live."""
        ticks = 0
        for pid in _tree(self.process.pid):
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(
    contender: Contender, binaries: Path, card: Card, first: Body, cores: str = "0"
) -> Iterator[Running]:
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        environment = {
            **os.environ,
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PYTHONPATH": f"{SERVERS}:{ROOT}",
            "BENCH_MODEL": str(card.onnx),
            "BENCH_PORT": str(port),
            "BENCH_BATCH": str(contender.batch),
            "BENTOML_HOME": folder,
            **contender.environment,
        }
        command = ["taskset", "-c", cores, *contender.command(binaries, port, Path(folder))]
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        server = Running(contender, f"http://127.0.0.1:{port}", process, 0.0)
        try:
            _wait(server, first, Path(folder) / "log")
            server.seconds = time.perf_counter() - began
            _settle(server)
            yield server
        finally:
            _stop(process)


def _wait(server: Running, first: Body, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.post(server.contender.path, first)
            return
        except (OSError, urllib.error.URLError) as error:
            if isinstance(error, urllib.error.HTTPError):
                # Some listen before their models are there; none needs long from then on.
                deadline = min(deadline, time.monotonic() + REFUSED_SECONDS)
            if server.process.poll() is not None or time.monotonic() > deadline:
                told = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{server.contender.name}: {error}\n{told}") from None
        time.sleep(0.02)


def _settle(server: Running) -> None:
    """What a server still does after its first answer is no part of the loads that follow."""
    for _ in range(SETTLE_SECONDS):
        before = server.cpu_seconds()
        time.sleep(1)
        if abs(server.cpu_seconds() - before) < IDLE:
            return


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """And all that it started: some leave processes behind."""
    pids = _tree(process.pid)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _tree(pid: int) -> list[int]:
    """A process, all of its session, and all below these: some make sessions of their own."""
    parents: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                parents[int(path.name)] = int(fields[1]), int(fields[3])
    found = {pid} | {each for each, (_, session) in parents.items() if session == pid}
    while more := {e for e, (parent, _) in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def _free_port() -> int:
    """Three in a row, as some take the next ones too."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, OverflowError):
            probe = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = int(probe.getsockname()[1])
            for more in (1, 2):
                stack.enter_context(socket.create_server(("127.0.0.1", port + more)))
            return port


def pinned() -> bool:
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1
