"""A checkpoint's ``model.onnx`` on ONNX Runtime: on a CPU it takes 0.4 of torch's time for a batch
of one, 0.6 for one of 32 (the card's network, one core).

It is used only where it answers as the weights do.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from glyphscope import manifest as m
from glyphscope.manifest import Manifest
from glyphscope.preprocess import Pixels, to_tensor
from glyphscope.spec import InputSpec
from service.inference.scores import Logits

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint

TOLERANCE = 1e-3
"""Of a logit, relative to the largest where that is above 1: as the trainer's, at publish."""

logger = logging.getLogger("glyphscope.service")


class OnnxNetwork:
    """uint8 (n, C, H, W) -> logits (n, classes)."""

    def __init__(self, model: bytes, spec: InputSpec, threads: int = 1) -> None:
        self._session = session(model, threads)
        self._normalise = Normaliser(spec)
        [self._input] = [each.name for each in self._session.get_inputs()]
        self._outputs = [self._session.get_outputs()[0].name]

    def __call__(self, pixels: Pixels) -> Logits:
        [logits] = self._session.run(self._outputs, {self._input: self._normalise(pixels)})
        found: Logits = logits
        return found


class Normaliser:
    """Pixels -> what the first layer takes: ``preprocess.to_tensor`` as one product and a sum."""

    def __init__(self, spec: InputSpec) -> None:
        mean, std = (np.array(each, np.float64).reshape(-1, 1, 1) for each in (spec.mean, spec.std))
        self._scale = (1 / (255 * std)).astype(np.float32)
        self._offset = (-mean / std).astype(np.float32)

    def __call__(self, pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        x = np.multiply(pixels, self._scale, dtype=np.float32)
        x += self._offset
        return x


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A thread that spins while it waits takes the core from whoever it waits for.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def open_onnx(manifest: Manifest, folder: Path, threads: int = 1) -> OnnxNetwork | None:
    """None where there is no ``model.onnx``, or where it cannot be run: that is logged."""
    if m.ONNX not in manifest.files:
        return None
    try:
        found = OnnxNetwork((folder / m.ONNX).read_bytes(), manifest.input, threads)
        logits = found(np.zeros((1, *manifest.input.shape), np.uint8))
    except Exception:
        # ONNX Runtime's errors share no class. The weights may be fine, so torch has its turn.
        logger.warning("%s: model.onnx cannot be run, torch serves", manifest.ref, exc_info=True)
        return None
    expected = 1, len(manifest.labels)
    if logits.shape != expected:
        logger.warning(
            "%s: model.onnx answers %s and not %s, torch serves",
            manifest.ref,
            logits.shape,
            expected,
        )
        return None
    return found


def agrees(found: OnnxNetwork, checkpoint: "Checkpoint") -> bool:
    """Whether it answers as the weights do; where not, that is logged."""
    ref = checkpoint.manifest.ref
    try:
        apart = _difference(found, checkpoint)
    except Exception:
        logger.warning("%s: model.onnx cannot be run, torch serves", ref, exc_info=True)
        return False
    if not apart <= TOLERANCE:
        logger.warning(
            "%s: model.onnx and the weights differ by %.2g in a logit, torch serves", ref, apart
        )
        return False
    return True


def _difference(found: OnnxNetwork, checkpoint: "Checkpoint") -> float:
    """On images that look like nothing, alone and together; infinite where shapes differ."""
    import torch  # here: answering does without it

    spec = checkpoint.manifest.input
    pixels = np.random.default_rng(0).integers(0, 256, (3, *spec.shape), np.uint8)
    pixels[1] //= 4
    with torch.inference_mode():
        expected = checkpoint.network(to_tensor(pixels, spec)).numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    worst = 0.0
    for logits, wanted in ((found(pixels), expected), (found(pixels[:1]), expected[:1])):
        if logits.shape != wanted.shape:
            return float("inf")
        worst = max(worst, float(np.abs(logits - wanted).max()) / scale)
    return worst
