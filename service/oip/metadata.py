"""What a model says of its tensors: to any client of the protocol, and to Triton's own.

metadata(manifest, versions)   GET /v2/models/{model}           shapes with -1 for the batch
configuration(manifest, most)  GET /v2/models/{model}/config    Triton's model configuration
"""

from collections.abc import Sequence
from typing import Any

from glyphscope.manifest import Manifest
from service.oip.inputs import INPUTS
from service.oip.outputs import declared

PLATFORM = "pytorch_safetensors"
BACKEND = "glyphscope"

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "model_repository(unload_dependents)",
    "statistics",
)
"""By the names that Triton gives them."""

_TYPES = {"FP32": "TYPE_FP32", "UINT8": "TYPE_UINT8", "INT64": "TYPE_INT64", "BOOL": "TYPE_BOOL"}
_TYPES["BYTES"] = "TYPE_STRING"


def metadata(manifest: Manifest, versions: Sequence[int]) -> dict[str, Any]:
    inputs = [_declared(name, each.datatype, each.shape(manifest.input)) for name, each in _in()]
    outputs = [
        _declared(name, each.datatype, each.shape(manifest))
        for name, each in declared(manifest).items()
    ]
    return {
        "name": manifest.name,
        "versions": [str(version) for version in versions],
        "platform": PLATFORM,
        "inputs": inputs,
        "outputs": outputs,
    }


def configuration(manifest: Manifest, most: int) -> dict[str, Any]:
    """``dims`` are without the batch, which may have up to ``most`` images."""
    inputs = [
        {**_typed(name, each.datatype, each.shape(manifest.input)), "optional": True}
        for name, each in _in()
    ]
    outputs = [
        _typed(name, each.datatype, each.shape(manifest))
        for name, each in declared(manifest).items()
    ]
    return {
        "name": manifest.name,
        "platform": PLATFORM,
        "backend": BACKEND,
        "version_policy": {"specific": {"versions": [manifest.version]}},
        "max_batch_size": most,
        "input": inputs,
        "output": outputs,
        "parameters": {
            "labels": {"string_value": ",".join(manifest.labels.names)},
            "preprocessing": {"string_value": manifest.input.preprocessing},
        },
    }


def _in() -> Sequence[tuple[str, Any]]:
    return list(INPUTS.items())


def _declared(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def _typed(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "data_type": _TYPES[datatype], "dims": list(shape[1:])}
