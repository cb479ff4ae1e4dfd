"""A run's best weights or a published checkpoint as one file for programs without PyTorch."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from glyphscope.errors import DataMissing, InvalidRecipe, NotFound
from glyphscope.manifest import Onnx
from glyphscope.preprocess import Pixels, to_tensor
from training import onnx_export
from training.subject import Subject

FORMATS = ("onnx",)

PARITY_IMAGES = 256


@dataclass(frozen=True)
class Exported:
    """``images``: what parity was checked on, for people."""

    path: Path
    size: int
    onnx: Onnx
    images: str


def export(subject: Subject, path: Path, root: Path, opset: int = onnx_export.OPSET) -> Exported:
    """Write the file once its parity is proved. Raises ``ParityError``, and then leaves none."""
    properties = onnx_export.properties(
        subject.input, subject.labels, subject.calibration.temperature
    )
    images, what = parity_images(subject, root)
    model = onnx_export.export(subject.network, opset, properties)
    found = onnx_export.check(model, subject.network, images)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(model)
    os.replace(part, path)
    return Exported(path, len(model), found, what)


def parity_images(subject: Subject, root: Path) -> tuple[Tensor, str]:
    """Validation images where the data is there, else noise: (normalised images, what they are)."""
    try:
        held = subject.split("validation", root)
    except (DataMissing, InvalidRecipe, NotFound):
        return to_tensor(_noise(subject), subject.input), f"{PARITY_IMAGES} images of noise"
    pixels = held.images[:PARITY_IMAGES].cpu().numpy()
    if pixels.shape[1:] != subject.input.shape:
        return to_tensor(_noise(subject), subject.input), f"{PARITY_IMAGES} images of noise"
    dataset = subject.recipe["dataset"]
    return to_tensor(pixels, subject.input), f"{len(pixels)} validation images of {dataset}"


def _noise(subject: Subject) -> Pixels:
    shape = (PARITY_IMAGES, *subject.input.shape)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
