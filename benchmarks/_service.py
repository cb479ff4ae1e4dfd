"""A real glyphscope-serve with its worker for a benchmark, and what its measurements share."""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]

READY_SECONDS = 180.0


@contextlib.contextmanager
def service(*options: str) -> Iterator[httpx.Client]:
    """With the shipped models and a state folder of its own; ready, and its worker alive."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-P", "-m", "service.cli", "--workers", "1"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "GLYPHSCOPE_LOG_LEVEL": "warning"}
        own = ["--port", str(port), "--state", state]
        process = subprocess.Popen([*command, *own, *options], env=environment)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                _wait(client)
                yield client
        finally:
            process.terminate()
            process.wait(30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait(client: httpx.Client) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/health/ready").json()["workers_alive"]:
                return
        time.sleep(0.2)
    raise SystemExit("the service did not become ready")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of the values do not pass."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def spread(values: Sequence[float]) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.2f} ({low:.2f} to {high:.2f}, n={len(values)})"
