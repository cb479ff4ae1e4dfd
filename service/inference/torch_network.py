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
from glyphscope.preprocess import Pixels, to_tensor
from glyphscope.spec import InputSpec
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
        self._network = checkpoint.network
        self._normalised = Normaliser(checkpoint.manifest.input, checkpoint.device)
        self._shape, self._device = checkpoint.manifest.input.shape, checkpoint.device
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
        graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            pixels = torch.zeros(size, *self._shape, dtype=torch.uint8, device=self._device)
            for _ in range(_WARM_UP):
                self._pass(pixels)
            self._stream.synchronize()
            # Of this thread alone: others answer meanwhile, and a capture that watches all of a
            # process would break with what they do.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                logits = self._pass(pixels)
        return Captured(graph, pixels, logits)

    def _pass(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self._network(self._normalised(pixels))
        return logits.float()


class Normaliser:
    """uint8 (N, C, H, W) -> what the first layer takes, to the byte as ``preprocess.to_tensor``.

    Mean and deviation lie on the device already: a graph cannot capture a copy from the host.
    """

    def __init__(self, spec: InputSpec, device: torch.device) -> None:
        self._mean = torch.tensor(spec.mean, device=device).view(1, -1, 1, 1)
        self._std = torch.tensor(spec.std, device=device).view(1, -1, 1, 1)

    def __call__(self, pixels: Tensor) -> Tensor:
        x = (pixels.float().div(255) - self._mean) / self._std
        return x.contiguous(memory_format=torch.channels_last)
