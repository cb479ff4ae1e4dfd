"""What one process holds while it serves, made from the settings and passed to the routes."""

import asyncio
import functools
import gc
import logging
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from starlette.requests import Request

from glyphscope.preprocess import Pixels
from glyphscope.store import Store
from service.access.gate import Gate, make_gate
from service.analysis.pool import Analyses, make_analyses
from service.inference.device import resolve_device
from service.inference.engine import Engine
from service.inference.model import Model
from service.inference.scores import Logits
from service.maximise.jobs import Jobs
from service.maximise.maximisations import Maximisations
from service.maximise.orders import Orders
from service.maximise.queue import Queue
from service.metrics import Metrics
from service.oip.statistics import Statistics
from service.processes.lifecycle import Lifecycle
from service.processes.pools import Pool
from service.settings import Settings
from service.tracing import Tracing
from service.versions.presence import Presence
from service.versions.promotion import Promotion
from service.versions.registry import Registry
from service.versions.shadow import Shadow
from service.versions.watcher import Watcher

ENCODERS_NICE = 5

NO_GATE = {"unknown_keys": 0, "limited_requests": 0}

logger = logging.getLogger("glyphscope.service")


@dataclass(frozen=True)
class Runtime:
    settings: Settings
    registry: Registry
    engine: Engine
    pool: Pool
    jobs: Pool
    """For a job's small files: many who wait for one must not wait for somebody's photo."""
    drawers: Pool
    """For the pictures of finished jobs, some of which are to be encoded first."""
    orders: Orders
    maximisations: Maximisations
    analyses: Analyses
    shadow: Shadow
    presence: Presence
    metrics: Metrics
    gate: Gate | None = None
    """None where everybody may ask."""
    tracing: Tracing | None = None
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    started: float = field(default_factory=time.time)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is told to stop: whoever waits for a maximisation stops waiting."""
    statistics: Statistics = field(default_factory=Statistics)

    @functools.cached_property
    def watcher(self) -> Watcher:
        return Watcher(self.registry, self.presence, self.describe, self.settings.watch_seconds)

    @property
    def promotion(self) -> Promotion:
        return Promotion(self.registry, self.presence, self.watcher)

    async def start(self) -> None:
        await self.registry.load_production()
        gc.collect()
        # The collector need not look at the networks again: most long tails of answers are its.
        gc.freeze()
        self.watcher.show()
        self.watcher.start()

    def compare(
        self,
        request: Request,
        model: str,
        answered: Model,
        pixels: Pixels,
        logits: Logits,
    ) -> None:
        """In the background, where the model's rollout asks for it."""
        other = self.registry.shadow(model, request_id(request))
        if other is not None and other is not answered:
            self.shadow.offer(answered, other, pixels, logits)

    def describe(self) -> dict[str, Any]:
        """What this process shows of itself to the others, and to /v1/status."""
        return {
            "started": self.started,
            "ready": not self.stopping.is_set(),
            "device": self.registry.device,
            "loaded": [str(ref) for ref in self.registry.loaded()],
            "serving": self.registry.serving(),
            "refused": self.registry.refused(),
            "waiting_images": self.engine.waiting,
            "lifecycle": self.lifecycle.report(),
            "gate": self.gate.report() if self.gate is not None else NO_GATE,
            "shadow": self.shadow.report(),
        }

    def stop(self) -> None:
        """Told to end: readiness says so, and whoever waits for a maximisation stops waiting."""
        self.lifecycle.stopping = True
        self.stopping.set()

    async def close(self) -> None:
        await self.watcher.close()
        await self.registry.loader.close()
        self.shadow.close()
        self.engine.close()
        for pool in (self.pool, self.jobs, self.drawers):
            pool.close()
        self.analyses.close()
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)


async def warm(engine: Engine, model: Model) -> None:
    """The first forward pass picks algorithms and allocates; no user should wait for that."""
    blank = np.zeros((1, *model.manifest.input.shape), np.uint8)
    try:
        await engine.answers(model, blank)
    except Exception:
        # One network that cannot run keeps no other from being served.
        logger.exception("%s cannot be warmed up", model.manifest.ref)


def make_runtime(settings: Settings, tracing: Tracing | None = None) -> Runtime:
    """Raises ``InvalidInput`` for a device that is not there, ``OSError`` for a state folder."""
    jobs = Jobs(settings.state)
    metrics = Metrics()
    engine = Engine(settings.max_waiting_images, metrics.ran, tracing)
    registry = Registry(
        Store(settings.store),
        resolve_device(settings.device),
        settings.max_loaded,
        settings.threads,
        state=settings.state,
        warm=functools.partial(warm, engine),
    )
    return Runtime(
        settings,
        registry,
        engine,
        Pool("bodies"),
        Pool("jobs"),
        Pool("pictures", nice=ENCODERS_NICE),
        Orders(),
        Maximisations(jobs, Queue(settings), settings.max_waiting_jobs),
        make_analyses(settings, tracing),
        Shadow(lambda: engine.waiting == 0),
        Presence(settings.state, settings.store),
        metrics,
        make_gate(settings),
        tracing,
    )


def runtime(request: Request) -> Runtime:
    found: Runtime = request.app.state.runtime
    return found


def request_id(request: Request) -> str:
    found: str = request.scope.get("state", {}).get("request_id", "")
    return found
