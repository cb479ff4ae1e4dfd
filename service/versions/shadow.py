"""Answers of another version, compared with those that were given: nobody waits for them.

What is offered waits in a bounded queue and runs while no request does, in a thread of its own.
"""

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from glyphscope.preprocess import Pixels, to_tensor
from glyphscope.spec import InputSpec
from service.inference.model import Model
from service.inference.scores import Logits
from service.processes.pools import Pool

MOST_WAITING = 256
"""images; beyond it what is offered is dropped, and counted"""

MOST_IMAGES = 32
"""of one request; a thread that has begun holds nothing up for longer than these take"""

_PAUSE_SECONDS = 0.005
_NICE = 10

logger = logging.getLogger("glyphscope.service")


@dataclass
class Comparison:
    """Images counted. ``incomparable``: the two networks take other pictures."""

    compared: int = 0
    disagreements: int = 0
    dropped: int = 0
    incomparable: int = 0
    failed: int = 0


@dataclass(frozen=True)
class _Offer:
    key: tuple[str, str]
    labels: Sequence[str]
    other: Model
    pixels: Pixels
    logits: Logits


class Shadow:
    """``idle`` says whether no request waits for the network."""

    def __init__(self, idle: Callable[[], bool], most_waiting: int = MOST_WAITING) -> None:
        self._idle = idle
        self._most = most_waiting
        self._offers: deque[_Offer] = deque()
        self._waiting = 0
        self._found: dict[tuple[str, str], Comparison] = {}
        self._task: asyncio.Task[None] | None = None
        self._thread = Pool("shadow", threads=1, nice=_NICE)

    def offer(self, primary: Model, other: Model, pixels: Pixels, logits: Logits) -> None:
        """``logits``: what ``primary`` answered, (n, classes). Returns at once."""
        key = primary.manifest.ref, other.manifest.ref
        counted = self._found.setdefault(key, Comparison())
        if not _comparable(primary.manifest.input, other.manifest.input):
            counted.incomparable += len(pixels)
            return
        taken = min(len(pixels), MOST_IMAGES, self._most - self._waiting)
        counted.dropped += len(pixels) - taken
        if taken <= 0:
            return
        self._waiting += taken
        # A copy: the batch that the rows belong to may be large, and is needed no longer.
        offer = _Offer(key, primary.labels, other, pixels[:taken].copy(), logits[:taken].copy())
        self._offers.append(offer)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def report(self) -> list[dict[str, Any]]:
        return [
            {"serving": serving, "shadow": shadow, **asdict(counted)}
            for (serving, shadow), counted in self._found.items()
        ]

    @property
    def waiting(self) -> int:
        return self._waiting

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._thread.close()

    async def _run(self) -> None:
        while self._offers:
            if not self._idle():
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            offer = self._offers.popleft()
            self._waiting -= len(offer.pixels)
            counted = self._found[offer.key]
            try:
                disagreements = await self._thread.run(functools.partial(_disagreements, offer))
            except Exception:
                # The version under test may do anything; the one that serves never hears of it.
                logger.exception("shadow %s failed", offer.key[1])
                counted.failed += len(offer.pixels)
                continue
            counted.compared += len(offer.pixels)
            counted.disagreements += disagreements


def _disagreements(offer: _Offer) -> int:
    """By the labels' names: the classes of the two may stand in another order."""
    import torch  # here: it is brought once somebody looks inside

    other = offer.other.opened()
    with torch.inference_mode():
        logits = other.network(to_tensor(offer.pixels, other.manifest.input, other.device))
    pairs = zip(offer.logits.argmax(1).tolist(), logits.argmax(1).tolist(), strict=True)
    return sum(offer.labels[ours] != other.labels[theirs] for ours, theirs in pairs)


def _comparable(one: InputSpec, other: InputSpec) -> bool:
    """The same bytes mean the same picture; how they are normalised is each network's own."""
    own = {"mean", "std"}
    return one.model_dump(exclude=own) == other.model_dump(exclude=own)
