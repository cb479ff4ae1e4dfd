"""Networks run here: one thread a process, so that no forward pass holds the event loop up.

classify(checkpoint, pixels)              uint8 (N, C, H, W) -> logits (N, classes)
activations(checkpoint, pixels, layers)   -> {layer: whatever ``keep`` makes of (n, ...)}
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glyphscope.activations import listen
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import Busy
from glyphscope.preprocess import Pixels, to_tensor

CHUNK = 32
"""Above it glibc's mmap threshold halves float32 convolutions at random."""

Values = NDArray[np.float32]
Keep = Callable[[Tensor], Values]

T = TypeVar("T")


class Engine:
    """At most ``max_waiting`` images wait; what comes beyond them is refused as ``Busy``."""

    def __init__(self, threads: int = 1, max_waiting: int = 4096) -> None:
        self._thread = ThreadPoolExecutor(
            1, "inference", initializer=torch.set_num_threads, initargs=(threads,)
        )
        self._max_waiting = max_waiting
        self._waiting = 0

    async def classify(self, checkpoint: Checkpoint, pixels: Pixels) -> Tensor:
        return await self._run(len(pixels), lambda: forward(checkpoint, pixels))

    async def activations(
        self, checkpoint: Checkpoint, pixels: Pixels, layers: Sequence[str], keep: Keep
    ) -> dict[str, Values]:
        """``keep`` sees a chunk's activations of one layer and returns one row an image."""
        return await self._run(len(pixels), lambda: hear(checkpoint, pixels, layers, keep))

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    async def _run(self, images: int, work: Callable[[], T]) -> T:
        # A batch larger than the bound is still taken by an idle process.
        if self._waiting and self._waiting + images > self._max_waiting:
            raise Busy(f"{self._waiting} images are waiting already; try again in a moment")
        self._waiting += images
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= images


def forward(checkpoint: Checkpoint, pixels: Pixels) -> Tensor:
    with torch.inference_mode():
        return torch.cat([checkpoint.network(x).cpu() for x in _chunks(checkpoint, pixels)])


def hear(
    checkpoint: Checkpoint, pixels: Pixels, layers: Sequence[str], keep: Keep
) -> dict[str, Values]:
    kept: dict[str, list[Values]] = {layer: [] for layer in layers}
    with torch.inference_mode(), listen(checkpoint.network, layers) as heard:
        for x in _chunks(checkpoint, pixels):
            checkpoint.network(x)
            for layer in layers:
                kept[layer].append(keep(heard[layer]))
    return {layer: np.concatenate(parts) for layer, parts in kept.items()}


def _chunks(checkpoint: Checkpoint, pixels: Pixels) -> Iterator[Tensor]:
    for i in range(0, len(pixels), CHUNK):
        yield to_tensor(pixels[i : i + CHUNK], checkpoint.manifest.input, checkpoint.device)
