"""Does explaining answers slow classification down? Its p99 alone and beside attributions.

    python -m benchmarks.attributions [--seconds 20]

Two servers are started, one after the other: with a process for analyses, as is the default, and
with a thread of the server instead. Each is asked for one classification after another, first
alone, then while others ask for attributions without a pause. Rounds alternate, so that what else
runs on the machine falls on both. Printed: the ratio of p99 beside attributions to p99 alone.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "tests/data/mnist-sample.npz"
METHOD = "integrated-gradients"
ROUNDS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="a condition, in all")
    seconds = parser.parse_args().seconds / ROUNDS
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, method {METHOD}")
    for name, processes in (("a process of its own", 1), ("a thread of the server", 0)):
        with serving(processes) as url:
            warm(url)
            alone: list[float] = []
            beside: list[float] = []
            done = 0
            for _ in range(ROUNDS):
                alone += classify(url, seconds)
                with attributing(url) as counted:
                    beside += classify(url, seconds)
                done += len(counted)
        report(name, alone, beside, done)


def report(name: str, alone: list[float], beside: list[float], attributions: int) -> None:
    (a50, a99), (b50, b99) = (np.percentile(each, [50, 99]) for each in (alone, beside))
    print(
        f"{name}: alone p50 {a50:.2f} p99 {a99:.2f} ms (n {len(alone)}), beside p50 {b50:.2f} "
        f"p99 {b99:.2f} ms (n {len(beside)}, {attributions} attributions): p99 x{b99 / a99:.2f}, "
        f"p50 x{b50 / a50:.2f}"
    )


def warm(url: str) -> None:
    with httpx.Client(base_url=url, timeout=300) as client:
        for path in ("classify", f"attributions?method={METHOD}"):
            client.post(f"/v1/models/mnist/{path}", content=image(), headers=PNG).raise_for_status()


def classify(url: str, seconds: float) -> list[float]:
    """Milliseconds, one request after the other, with a pause as long as a person's stroke has."""
    took: list[float] = []
    body, end = image(), time.perf_counter() + seconds
    with httpx.Client(base_url=url, timeout=60) as client:
        while time.perf_counter() < end:
            start = time.perf_counter()
            client.post("/v1/models/mnist/classify", content=body, headers=PNG).raise_for_status()
            took.append(1000 * (time.perf_counter() - start))
            time.sleep(0.005)
    return took


@contextmanager
def attributing(url: str) -> Iterator[list[float]]:
    """Two clients that ask without a pause."""
    stop, counted = threading.Event(), list[float]()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not stop.is_set():
                answer = client.post(
                    f"/v1/models/mnist/attributions?method={METHOD}", content=image(), headers=PNG
                )
                answer.raise_for_status()
                counted.append(time.perf_counter())

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield counted
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def serving(processes: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-m", "service.cli", "--port", "0", "--state", state]
        environment = {**os.environ, "GLYPHSCOPE_ANALYSIS_PROCESSES": str(processes)}
        with subprocess.Popen(
            [*command, "--workers", "1", "--no-worker", "--log-level", "error"],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            line = next(line for line in process.stderr if line.startswith("Glyphscope: "))
            try:
                yield line.split()[1]
            finally:
                process.terminate()


PNG = {"Content-Type": "image/png"}


def image() -> bytes:

    out = io.BytesIO()
    with np.load(SAMPLE) as sample:
        Image.fromarray(sample["test_images"][45]).save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    main()
