"""What Prometheus reads of a server: its counters, and the state of all its processes.

    Metrics().answered(...)      one request, from the middleware or the short way
    Metrics().ran(...)           one turn of a batcher
    Metrics().text(gauges)       the exposition, version 0.0.4

Several processes of one server add up: each counts in a file of its own in the folder that
``shared_counters`` makes, and whichever is asked adds them (prometheus_client's multiprocess mode).
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

FOLDER = "PROMETHEUS_MULTIPROC_DIR"

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
IMAGES = (1, 2, 4, 8, 16, 32, 64)

UNROUTED = "none"
"""The route of what was answered before a route was found, or where there is none."""


@contextmanager
def shared_counters() -> Iterator[None]:
    """Around a server of several processes, before the first of them starts."""
    with tempfile.TemporaryDirectory(prefix="glyphscope-metrics-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


class Metrics:
    """Labels are few: routes as they are written in the code, and names that the store has."""

    def __init__(self) -> None:
        # Imported here: the library decides on its import whether counters are shared.
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._registry = CollectorRegistry()
        self._requests = Counter(
            "glyphscope_requests",
            "Answered requests.",
            ("method", "route", "model", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "glyphscope_request_seconds",
            "From the request's headers to the end of its answer.",
            ("route", "model"),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "glyphscope_batch_images",
            "Images of one turn of the batcher.",
            ("model",),
            buckets=IMAGES,
            registry=self._registry,
        )
        # Looking a child up by its labels costs more than counting does.
        self._children: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}
        self._turns: dict[str, Histogram] = {}

    def answered(self, method: str, route: str, model: str, status: int, seconds: float) -> None:
        key = method, route, model, status
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = (
                self._requests.labels(method, route, model, str(status)),
                self._seconds.labels(route, model),
            )
        found[0].inc()
        found[1].observe(seconds)

    def ran(self, model: str, images: int) -> None:
        found = self._turns.get(model)
        if found is None:
            found = self._turns[model] = self._batches.labels(model)
        found.observe(images)

    def text(self, gauges: "Iterable[Metric]" = ()) -> bytes:
        """Blocking where counters are shared: it reads every process's file."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        shared = os.environ.get(FOLDER)
        registry = self._registry
        if shared:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, shared)
        return generate_latest(registry) + generate_latest(_Fixed(gauges))


class _Fixed:
    """Metrics as they are, for ``generate_latest``."""

    def __init__(self, metrics: "Iterable[Metric]") -> None:
        self._metrics = list(metrics)

    def collect(self) -> "Iterator[Metric]":
        return iter(self._metrics)
