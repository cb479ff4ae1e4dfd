"""Pictures that exist already, over HTTP on this machine: how long a hit takes.

    python -P benchmarks/cached_pictures.py [--requests 200]

A hit is the second and every later request. Beside them, in the same run and interleaved with them,
stands the cheapest answer that the service has (/health/live): the ratio is what the cache costs.
The mark is 20 ms, and 10 ms for one picture, at the 99th percentile.
"""

import argparse
import time
from collections.abc import Callable

import httpx

from benchmarks._service import percentile, service

ASKED = {"layer": "out2", "units": "all", "steps": 32}
MODEL = "/v1/models/mnist/maximisations"

Request = Callable[[], httpx.Response]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=200, help="of each kind")
    parser.add_argument("--full", action="store_true", help="2000 of each kind")
    asked = parser.parse_args()
    with service() as client:
        kinds = requests(client)
        report(measure(kinds, 2000 if asked.full else asked.requests))


def requests(client: httpx.Client) -> dict[str, Request]:
    """Each of them once before: what is measured are hits."""
    job = client.post(MODEL, json=ASKED, headers={"Prefer": "wait=60"}).json()
    while job["status"] != "done":
        job = client.get(f"/v1/maximisations/{job['id']}").json()
        time.sleep(0.1)
    home = f"/v1/maximisations/{job['id']}"
    paths = {
        "picture": f"{home}/units/3.png",
        "picture, 8x": f"{home}/units/3.png?scale=8",
        "film": f"{home}/units/3/film.png",
        "grid, 4x": f"{home}/grid.png?scale=4",
        "animation, 2x": f"{home}/animation.webp?scale=2",
        "job": home,
    }
    tags = {name: client.get(path).headers["etag"] for name, path in paths.items()}

    def get(path: str, etag: str = "") -> Request:
        headers = {"If-None-Match": etag} if etag else {}
        return lambda: client.get(path, headers=headers)

    return {
        "nothing (/health/live)": get("/health/live"),
        "create again": lambda: client.post(MODEL, json=ASKED),
        **{name: get(path) for name, path in paths.items()},
        **{f"{name}, 304": get(path, tags[name]) for name, path in paths.items()},
    }


def measure(kinds: dict[str, Request], count: int) -> dict[str, list[float]]:
    """Milliseconds."""
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(count):
        for name, request in kinds.items():
            start = time.perf_counter()
            answer = request()
            taken[name].append((time.perf_counter() - start) * 1000)
            if answer.status_code not in (200, 304):
                raise SystemExit(f"{name}: {answer.status_code} {answer.text}")
    return taken


def report(taken: dict[str, list[float]]) -> None:
    least = percentile(taken["nothing (/health/live)"], 0.5)
    print(f"{'':24}   median      p99   x nothing   n")
    for name, values in taken.items():
        middle, late = percentile(values, 0.5), percentile(values, 0.99)
        print(f"{name:24}{middle:6.2f} ms{late:6.2f} ms{middle / least:10.2f}{len(values):6d}")


if __name__ == "__main__":
    main()
