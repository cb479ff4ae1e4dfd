"""What Triton's clients read of past inferences, for each version; counted in this process.

``queue`` stays 0: how long an image waits for its batch is part of ``compute_infer`` here.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from glyphscope.store import Ref

STAGES = ("compute_input", "compute_infer", "compute_output")


@dataclass
class Durations:
    count: int = 0
    ns: int = 0

    def add(self, ns: int) -> None:
        self.count += 1
        self.ns += ns

    def document(self) -> dict[str, int]:
        return {"count": self.count, "ns": self.ns}


def by_stage() -> dict[str, Durations]:
    return {stage: Durations() for stage in STAGES}


@dataclass
class Stopwatch:
    """Of one request: each stage ends where the next begins."""

    started: int = field(default_factory=time.perf_counter_ns)
    marks: list[int] = field(default_factory=list)
    images: int = 0

    def mark(self) -> None:
        self.marks.append(time.perf_counter_ns())


@dataclass
class Counters:
    images: int = 0
    last: int = 0
    success: Durations = field(default_factory=Durations)
    fail: Durations = field(default_factory=Durations)
    stages: dict[str, Durations] = field(default_factory=by_stage)
    batches: dict[int, dict[str, Durations]] = field(default_factory=dict)

    def succeeded(self, watch: Stopwatch) -> None:
        self.images += watch.images
        self.last = time.time_ns() // 1_000_000
        self.success.add(watch.marks[-1] - watch.started)
        batch = self.batches.setdefault(watch.images, by_stage())
        starts = [watch.started, *watch.marks]
        for stage, start, end in zip(STAGES, starts, watch.marks, strict=False):
            self.stages[stage].add(end - start)
            batch[stage].add(end - start)

    def document(self, ref: Ref) -> dict[str, Any]:
        none = Durations().document()
        stages = {name: each.document() for name, each in self.stages.items()}
        whole = {"success": self.success.document(), "fail": self.fail.document()}
        empty = {"queue": none, "cache_hit": none, "cache_miss": none}
        return {
            "name": ref.name,
            "version": str(ref.version),
            "last_inference": self.last,
            "inference_count": self.images,
            "execution_count": self.success.count,
            "inference_stats": {**whole, **empty, **stages},
            "batch_stats": [
                {"batch_size": size, **{name: each.document() for name, each in found.items()}}
                for size, found in sorted(self.batches.items())
            ],
        }


class Statistics:
    def __init__(self) -> None:
        self._found: dict[Ref, Counters] = {}

    @contextmanager
    def count(self, ref: Ref) -> Iterator[Stopwatch]:
        """Of one request: what is raised inside is a failure."""
        counters, watch = self._of(ref), Stopwatch()
        try:
            yield watch
        except BaseException:
            counters.fail.add(time.perf_counter_ns() - watch.started)
            raise
        counters.succeeded(watch)

    def document(self, ref: Ref) -> dict[str, Any]:
        return self._found.get(ref, Counters()).document(ref)

    def all(self) -> list[dict[str, Any]]:
        """Of what was asked in this process."""
        return [counters.document(ref) for ref, counters in self._found.items()]

    def _of(self, ref: Ref) -> Counters:
        return self._found.setdefault(ref, Counters())
