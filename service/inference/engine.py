"""Networks run here, so that no forward pass holds the event loop up for long.

answers(model, pixels)                     uint8 (N, C, H, W) -> Scores, one row an image
classify(model, pixels)                    the same as logits (N, classes)
activations(checkpoint, pixels, layers)    -> {layer: whatever ``keep`` makes of (n, ...)}
submit(model, work)                        for callers that have no task to wait with

Classifications wait in a queue for each model; what else a process computes takes its one thread.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glyphscope.activations import listen
from glyphscope.checkpoint import Checkpoint
from glyphscope.preprocess import Pixels, to_tensor
from service.inference.batcher import INLINE_SECONDS, PIECE, Backlog, Batcher, Ran, Work
from service.inference.model import Model
from service.inference.scores import Scores
from service.inference.tempo import Tempo
from service.tracing import Tracing

Values = NDArray[np.float32]
Keep = Callable[[Tensor], Values]

T = TypeVar("T")


class Engine:
    """At most ``max_waiting`` images wait; what comes beyond them is refused as ``Busy``."""

    def __init__(
        self,
        threads: int = 1,
        max_waiting: int = 4096,
        ran: Ran = lambda model, images: None,
        tracing: Tracing | None = None,
    ) -> None:
        torch.set_num_threads(threads)  # of the event loop's own passes
        self._thread = ThreadPoolExecutor(
            1, "inference", initializer=torch.set_num_threads, initargs=(threads,)
        )
        self._backlog = Backlog(max_waiting)
        self._ran = ran
        self._tracing = tracing
        self._batchers: WeakKeyDictionary[Model, Batcher] = WeakKeyDictionary()
        self._tempi: WeakKeyDictionary[Model, Tempo] = WeakKeyDictionary()

    @property
    def waiting(self) -> int:
        """Images."""
        return self._backlog.images

    async def answers(self, model: Model, pixels: Pixels) -> Scores:
        """Raises ``Busy``. Where the caller is cancelled, its images are not run any more."""
        work = Awaited(pixels)
        if self._tracing is not None:
            work.span = self._tracing.current()
        self.submit(model, work)
        return await work.future

    async def classify(self, model: Model, pixels: Pixels) -> Tensor:
        return torch.from_numpy((await self.answers(model, pixels)).logits)

    def submit(self, model: Model, work: Work) -> None:
        batcher = self._batchers.get(model)
        if batcher is None:
            batcher = self._batchers[model] = Batcher(
                model.forward,
                model.manifest,
                self._thread,
                self._backlog,
                self._ran,
                self._tracing,
            )
        batcher.submit(work)

    async def activations(
        self, checkpoint: Model, pixels: Pixels, layers: Sequence[str], keep: Keep
    ) -> dict[str, Values]:
        """``keep`` sees a chunk's activations of one layer and returns one row an image."""
        with self._step("activations", checkpoint.manifest.ref):
            return await self._activations(checkpoint, pixels, layers, keep)

    async def _activations(
        self, checkpoint: Model, pixels: Pixels, layers: Sequence[str], keep: Keep
    ) -> dict[str, Values]:
        tempo = self._tempi.setdefault(checkpoint, Tempo())
        work = tempo.timed(len(pixels), lambda: hear(checkpoint, pixels, layers, keep))
        if tempo.expected(len(pixels)) <= INLINE_SECONDS:
            return work()
        return await self._run(len(pixels), work)

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    def _step(self, name: str, model: str) -> AbstractContextManager[None]:
        return self._tracing.step(name, model=model) if self._tracing else nullcontext()

    async def _run(self, images: int, work: Callable[[], T]) -> T:
        self._backlog.enter(images)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._backlog.leave(images)


class Awaited(Work):
    """For a caller that awaits it."""

    def __init__(self, pixels: Pixels) -> None:
        super().__init__(pixels)
        self.future: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()

    @property
    def dropped(self) -> bool:
        return self.future.done()

    def answered(self, scores: Scores) -> None:
        self.future.set_result(scores)

    def failed(self, error: Exception) -> None:
        self.future.set_exception(error)


def hear(
    checkpoint: Checkpoint, pixels: Pixels, layers: Sequence[str], keep: Keep
) -> dict[str, Values]:
    kept: dict[str, list[Values]] = {layer: [] for layer in layers}
    with torch.inference_mode(), listen(checkpoint.network, layers) as heard:
        for x in _chunks(checkpoint, pixels):
            checkpoint.network(x)
            for layer in layers:
                kept[layer].append(keep(heard[layer]))
    return {layer: _joined(parts) for layer, parts in kept.items()}


def _joined(parts: list[Values]) -> Values:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _chunks(checkpoint: Checkpoint, pixels: Pixels) -> Iterator[Tensor]:
    for i in range(0, len(pixels), PIECE):
        yield to_tensor(pixels[i : i + PIECE], checkpoint.manifest.input, checkpoint.device)
