"""A step that is run again and again: on CUDA recorded once as a graph and replayed.

At 28 pixels a step is a hundred small kernels, and launching them takes longer than running them.
"""

import logging
from collections.abc import Callable

import torch

WARM_UP = 3
"""Steps run one by one before the recording, on a stream of their own, as the CUDA graphs of
PyTorch want it. They count as steps."""

logger = logging.getLogger("glyphscope.visualise")


def replayed(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """``step`` reads and writes the same tensors each time. Elsewhere than on CUDA, and where it
    cannot be recorded, it is called as it is."""
    return _Replay(step, device) if device.type == "cuda" else step


class _Replay:
    def __init__(self, step: Callable[[], None], device: torch.device) -> None:
        self._step = step
        self._device = device
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._recordable = True

    def __call__(self) -> None:
        self._calls += 1
        if self._calls <= WARM_UP:
            return self._aside()
        if self._graph is None and self._recordable:
            self._graph = self._recorded()
        if self._graph is None:
            return self._step()
        self._graph.replay()

    def _aside(self) -> None:
        stream = torch.cuda.Stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            self._step()
        torch.cuda.current_stream(self._device).wait_stream(stream)

    def _recorded(self) -> torch.cuda.CUDAGraph | None:
        graph = torch.cuda.CUDAGraph()
        try:
            # Recording runs nothing. "thread_local": other threads may use the device meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._step()
        except RuntimeError as error:
            self._recordable = False
            logger.warning("a step cannot be recorded as a CUDA graph: %s", error)
            return None
        return graph
