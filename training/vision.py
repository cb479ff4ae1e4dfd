"""The one place that imports torchvision.

Its binary wheels want CUDA's libraries, so beside a CPU-only torch the import fails because two
operators are not registered. Only on that error their schemas are declared (never called here) and
the import is tried again; data sets, transforms and models then work.
"""

import importlib
from types import ModuleType

import torch

_MISSING = "operator torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_libraries: list[torch.library.Library] = []
"""Declarations live as long as their library object."""


def module(name: str) -> ModuleType:
    """``torchvision.NAME``, for instance "datasets" or "transforms.v2"."""
    try:
        return importlib.import_module(f"torchvision.{name}")
    except RuntimeError as error:
        if _MISSING not in str(error):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _libraries.append(library)
    return importlib.import_module(f"torchvision.{name}")
