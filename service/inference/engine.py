"""Networks run here, so that no forward pass holds the event loop up for long.

answers(model, pixels)                     uint8 (N, C, H, W) -> Scores, one row an image
classify(model, pixels)                    the same as logits (N, classes)
activations(model, pixels, layers)         -> {layer: whatever ``keep`` makes of (n, ...)}
submit(model, work)                        for callers that have no task to wait with

Classifications wait in a queue for each model; what else a process computes takes its one thread.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from glyphscope.preprocess import Pixels
from service.inference.batcher import INLINE_SECONDS, Backlog, Batcher, Ran, Work
from service.inference.model import Model
from service.inference.scores import Logits, Scores
from service.inference.tempo import Tempo
from service.tracing import Tracing

if TYPE_CHECKING:
    from service.inference.hearing import Keep, Values

T = TypeVar("T")


class Engine:
    """At most ``max_waiting`` images wait; what comes beyond them is refused as ``Busy``."""

    def __init__(
        self,
        max_waiting: int = 4096,
        ran: Ran = lambda model, images: None,
        tracing: Tracing | None = None,
    ) -> None:
        self._thread = ThreadPoolExecutor(1, "inference")
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

    async def classify(self, model: Model, pixels: Pixels) -> Logits:
        return (await self.answers(model, pixels)).logits

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
        self, model: Model, pixels: Pixels, layers: Sequence[str], keep: "Keep"
    ) -> "dict[str, Values]":
        """``keep`` sees a chunk's activations of one layer and returns one row an image. The model
        is opened."""
        with self._step("activations", model.manifest.ref):
            return await self._activations(model, pixels, layers, keep)

    async def _activations(
        self, model: Model, pixels: Pixels, layers: Sequence[str], keep: "Keep"
    ) -> "dict[str, Values]":
        from service.inference.hearing import hear  # here: it needs PyTorch

        tempo, checkpoint = self._tempi.setdefault(model, Tempo()), model.opened()
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
