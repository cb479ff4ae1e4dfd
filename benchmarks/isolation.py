"""What a maximisation costs those who classify: p99 beside it over p99 without, in one run.

    python -P benchmarks/isolation.py [--rounds 7] [--requests 400]

Server, worker and client are processes of this machine. One client sends one drawn digit after
another on one connection. A round is two halves, the worker idle and the worker drawing a whole
layer (on every core, for as long as the half lasts), in an order that changes from round to round.
The figure is the median of the rounds' ratios; the mark is 1.5.
"""

import argparse
import statistics
import time
from dataclasses import dataclass

import httpx

from benchmarks._service import percentile, service, spread

MARK = 1.5

STROKES = [[[4, 4], [20, 4], [10, 26]]]

ENDLESS = {"layer": "out2", "units": "all", "steps": 4096}


@dataclass(frozen=True)
class Half:
    """Milliseconds."""

    p50: float
    p99: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=400, help="in each half of a round")
    parser.add_argument("--full", action="store_true", help="21 rounds of 1000 requests")
    asked = parser.parse_args()
    rounds, requests = (21, 1000) if asked.full else (asked.rounds, asked.requests)
    with service() as client:
        measure(client, 200)
        pairs = [round_of(client, n, requests) for n in range(rounds)]
    report(pairs, requests)


def round_of(client: httpx.Client, n: int, requests: int) -> tuple[Half, Half]:
    """(idle, busy)"""
    if n % 2:
        busy = beside(client, n, requests)
        return measure(client, requests), busy
    return measure(client, requests), beside(client, n, requests)


def beside(client: httpx.Client, n: int, requests: int) -> Half:
    job = client.post("/v1/models/mnist/maximisations", json={**ENDLESS, "seed": n}).json()
    path = f"/v1/maximisations/{job['id']}"
    while client.get(path).json()["step"] == 0:
        time.sleep(0.05)
    found = measure(client, requests)
    if client.get(path).json()["status"] != "running":
        raise SystemExit("the maximisation was over before the half was")
    client.delete(path)
    while client.get(path).json()["status"] == "running":
        time.sleep(0.02)
    return found


def measure(client: httpx.Client, requests: int) -> Half:
    body = {"inputs": [{"strokes": STROKES}]}
    taken = []
    for _ in range(requests):
        start = time.perf_counter()
        client.post("/v1/models/mnist/classify", json=body).raise_for_status()
        taken.append((time.perf_counter() - start) * 1000)
    return Half(percentile(taken, 0.5), percentile(taken, 0.99))


def report(pairs: list[tuple[Half, Half]], requests: int) -> None:
    print(f"{len(pairs)} rounds of {requests} requests idle and {requests} beside a maximisation")
    print("round   idle p50   idle p99   busy p50   busy p99   p99 ratio")
    for n, (idle, busy) in enumerate(pairs, 1):
        figures = (idle.p50, idle.p99, busy.p50, busy.p99)
        columns = "".join(f"{value:8.2f} ms" for value in figures)
        print(f"{n:5d}{columns}{busy.p99 / idle.p99:12.2f}")
    ratios = [busy.p99 / idle.p99 for idle, busy in pairs]
    print(f"p50 ratio: {spread([busy.p50 / idle.p50 for idle, busy in pairs])}")
    print(f"p99 ratio: {spread(ratios)}")
    verdict = "met" if statistics.median(ratios) <= MARK else "not met"
    print(f"the mark, a median of at most {MARK}, is {verdict}")


if __name__ == "__main__":
    main()
