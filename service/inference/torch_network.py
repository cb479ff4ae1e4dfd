"""A checkpoint's own network: on a CPU as it is, on CUDA as graphs of fixed batch sizes.

    cpu(checkpoint)    where there is no ``model.onnx`` to run
    cuda(checkpoint)   bytes over the bus, normalised there; a batch is filled up to the next size

A CUDA graph replays a whole forward pass with one launch, where a small network otherwise spends
its time launching kernels (pytorch.org/docs, "CUDA semantics", CUDA graphs). Its shapes are fixed,
hence the sizes. Where capturing fails, the network runs without.
"""

import logging
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from glyphscope.checkpoint import Checkpoint
from glyphscope.preprocess import Pixels, normalise, to_tensor
from service.inference.scores import Logits

SIZES = (1, 2, 4, 8, 16, 32)

_WARM_UP = 3
"""Passes before a capture: cuDNN chooses its algorithms in them."""

logger = logging.getLogger("glyphscope.service")


def cpu(checkpoint: Checkpoint) -> Callable[[Pixels], Logits]:
    spec, network, device = checkpoint.manifest.input, checkpoint.network, checkpoint.device

    def forward(pixels: Pixels) -> Logits:
        with torch.inference_mode():
            logits: Logits = network(to_tensor(pixels, spec, device)).float().cpu().numpy()
        return logits

    return forward


def cuda(checkpoint: Checkpoint) -> Callable[[Pixels], Logits]:
    try:
        return Graphs(checkpoint)
    except RuntimeError:
        logger.warning("%s runs without CUDA graphs", checkpoint.manifest.ref, exc_info=True)
        return cpu(checkpoint)


@dataclass(frozen=True)
class Captured:
    """Replaying the graph turns what lies in ``pixels`` into ``logits``; both stay on the GPU."""

    graph: torch.cuda.CUDAGraph
    pixels: Tensor
    logits: Tensor


class Graphs:
    """Not for two threads at once: the buffers are shared by all passes."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._stream = torch.cuda.Stream(checkpoint.device)
        # The largest first: the smaller ones then find room in its memory.
        self._captured = {size: self._capture(size) for size in reversed(SIZES)}

    def __call__(self, pixels: Pixels) -> Logits:
        count = len(pixels)
        captured = self._captured[SIZES[bisect_left(SIZES, count)]]
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            captured.pixels[:count].copy_(torch.from_numpy(pixels.copy()))
            captured.graph.replay()
            logits: Logits = captured.logits[:count].cpu().numpy()
        return logits

    def _capture(self, size: int) -> Captured:
        spec, device = self._checkpoint.manifest.input, self._checkpoint.device
        graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            pixels = torch.zeros(size, *spec.shape, dtype=torch.uint8, device=device)
            for _ in range(_WARM_UP):
                self._pass(pixels)
            self._stream.synchronize()
            with torch.cuda.graph(graph, stream=self._stream):
                logits = self._pass(pixels)
        return Captured(graph, pixels, logits)

    def _pass(self, pixels: Tensor) -> Tensor:
        x = normalise(pixels.float().div(255), self._checkpoint.manifest.input)
        logits: Tensor = self._checkpoint.network(x.contiguous(memory_format=torch.channels_last))
        return logits.float()
