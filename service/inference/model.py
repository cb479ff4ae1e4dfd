"""A checkpoint in memory, with the fastest way from its pixels to its logits.

RUNTIMES, in the order tried: CUDA graphs on a GPU; ONNX Runtime on a CPU; else torch, which also
does whatever needs hooks or gradients.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path

from glyphscope.checkpoint import Checkpoint
from service.inference import torch_network
from service.inference.batcher import Forward
from service.inference.onnx_network import open_onnx


@dataclass(frozen=True, eq=False)
class Model(Checkpoint):
    forward: Forward = field(kw_only=True)
    """Not for two threads at once."""
    runtime: str = field(kw_only=True)
    """"onnxruntime", "torch" or "cuda" """

    # Two versions are never one, and hashing a whole manifest would take a request's time.
    __eq__ = object.__eq__
    __hash__ = object.__hash__


def open_model(checkpoint: Checkpoint, folder: Path, threads: int = 1) -> Model:
    """``folder`` is the checkpoint's own, already verified."""
    runtime, forward = _forward(checkpoint, folder, threads)
    held = {one.name: getattr(checkpoint, one.name) for one in fields(checkpoint)}
    return Model(**held, forward=forward, runtime=runtime)


def _forward(checkpoint: Checkpoint, folder: Path, threads: int) -> tuple[str, Forward]:
    if checkpoint.device.type == "cuda":
        return "cuda", torch_network.cuda(checkpoint)
    onnx = open_onnx(checkpoint, folder, threads)
    if onnx is not None:
        return "onnxruntime", onnx
    return "torch", torch_network.cpu(checkpoint)
