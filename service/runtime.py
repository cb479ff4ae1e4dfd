"""What one process holds while it serves, made from the settings and passed to the routes."""

import asyncio
import gc
import logging
from dataclasses import dataclass, field

import numpy as np
from starlette.requests import Request

from glyphscope.store import Store
from service.device import resolve_device
from service.engine import Engine
from service.jobs import Jobs
from service.maximisations import Maximisations
from service.model import Model
from service.oip.statistics import Statistics
from service.orders import Orders
from service.pools import Pool
from service.queue import Queue
from service.registry import Registry
from service.settings import Settings

ENCODERS_NICE = 5

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
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is told to stop: whoever waits for a maximisation stops waiting."""
    statistics: Statistics = field(default_factory=Statistics)

    async def start(self) -> None:
        for checkpoint in await self.registry.load_production():
            await self.warm(checkpoint)
        gc.collect()
        # The collector need not look at the networks again: most long tails of answers are its.
        gc.freeze()

    async def warm(self, checkpoint: Model) -> None:
        """The first forward pass picks algorithms and allocates; no user should wait for that."""
        blank = np.zeros((1, *checkpoint.manifest.input.shape), np.uint8)
        try:
            await self.engine.answers(checkpoint, blank)
        except Exception:
            # One network that cannot run keeps no other from being served.
            logger.exception("%s cannot be warmed up", checkpoint.manifest.ref)

    def close(self) -> None:
        self.engine.close()
        for pool in (self.pool, self.jobs, self.drawers):
            pool.close()


def make_runtime(settings: Settings) -> Runtime:
    """Raises ``InvalidInput`` for a device that is not there, ``OSError`` for a state folder."""
    jobs = Jobs(settings.state)
    return Runtime(
        settings,
        Registry(
            Store(settings.store),
            resolve_device(settings.device),
            settings.max_loaded,
            settings.threads,
        ),
        Engine(settings.threads, settings.max_waiting_images),
        Pool("bodies"),
        Pool("jobs"),
        Pool("pictures", nice=ENCODERS_NICE),
        Orders(),
        Maximisations(jobs, Queue(settings), settings.max_waiting_jobs),
    )


def runtime(request: Request) -> Runtime:
    found: Runtime = request.app.state.runtime
    return found
