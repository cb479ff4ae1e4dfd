"""A version that answers: the fastest way from its pixels to its logits, and its network behind it.

RUNTIMES, in the order tried: CUDA graphs on a GPU; ONNX Runtime on a CPU; else torch, which also
does whatever needs hooks or gradients.

    open_model(manifest, folder, device)  ->  Model
    confirmed(model)                      ->  the same, or another where its ``model.onnx`` is wrong

ONNX Runtime needs no PyTorch, whose import takes most of a start. In a process that has not
imported it yet a version answers without, its files verified; it is confirmed soon after.
"""

import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from glyphscope.manifest import Manifest
from service.inference import pytorch
from service.inference.batcher import Forward
from service.inference.onnx_network import OnnxNetwork, agrees, open_onnx

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint


class Model:
    """``forward`` is not for two threads at once. ``runtime``: "onnxruntime", "torch" or "cuda"."""

    def __init__(
        self,
        manifest: Manifest,
        forward: Forward,
        runtime: str,
        read: "Callable[[], Checkpoint]",
        checkpoint: "Checkpoint | None" = None,
    ) -> None:
        self.manifest = manifest
        self.forward = forward
        self.runtime = runtime
        self.checkpoint = checkpoint
        """None as long as nobody has looked inside."""
        self._read = read
        self._reading = threading.Lock()

    @property
    def labels(self) -> tuple[str, ...]:
        return self.manifest.labels.names

    def opened(self) -> "Checkpoint":
        """With the network. Reads it where it is not there yet: blocking, from any thread.

        Raises ``BrokenCheckpoint``.
        """
        with self._reading:
            if self.checkpoint is None:
                self.checkpoint = self._read()
            return self.checkpoint


def open_model(manifest: Manifest, folder: Path, device: str = "cpu", threads: int = 1) -> Model:
    """``folder`` is the version's own, already verified. Raises ``BrokenCheckpoint``."""
    read = functools.partial(pytorch.read, folder, device, threads)
    onnx = None if device.startswith("cuda") else open_onnx(manifest, folder, threads)
    if onnx is None:
        return _on_torch(read)
    model = Model(manifest, onnx, "onnxruntime", read)
    return confirmed(model) if pytorch.here() else model


def confirmed(model: Model) -> Model:
    """Opened; one that answers by ``model.onnx`` only where the weights say the same."""
    checkpoint = model.opened()
    if isinstance(model.forward, OnnxNetwork) and not agrees(model.forward, checkpoint):
        return _on_torch(model.opened)
    return model


def _on_torch(read: "Callable[[], Checkpoint]") -> Model:
    checkpoint = read()
    from service.inference import torch_network

    if checkpoint.device.type == "cuda":
        return Model(checkpoint.manifest, torch_network.cuda(checkpoint), "cuda", read, checkpoint)
    return Model(checkpoint.manifest, torch_network.cpu(checkpoint), "torch", read, checkpoint)
