"""A network as ONNX, checked against torch on real images before anybody gets it."""

import json
import logging
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from glyphscope.errors import InvalidInput
from glyphscope.manifest import Onnx
from glyphscope.networks import Network
from glyphscope.spec import InputSpec
from training.failure import Failure

OPSET = 18

OPSETS = range(18, 24)
"""The first is PyTorch's exporter's own; each was tried, and ONNX Runtime 1.24 reads them all."""

TOLERANCE = 1e-3
"""Largest difference of a logit that counts as the same network in float32."""


class ParityError(Failure):
    code = "onnx-parity"
    title = "ONNX Runtime and torch disagree"


def export(
    network: Network, opset: int = OPSET, properties: Mapping[str, str] | None = None
) -> bytes:
    """Input "input" (N, C, H, W) float32, normalised; output "logits" (N, classes); N is free.

    ``properties`` become the file's metadata_props, which every ONNX runtime can read.
    """
    if opset not in OPSETS:
        raise InvalidInput(f"opset {opset} is not offered; known: {', '.join(map(str, OPSETS))}")
    # Two images, not one: the exporter takes a dimension of 1 for a constant.
    example = torch.zeros(2, *network.spec.input_shape)
    network = network.eval().cpu()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations; parity is what counts
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["input"],
            output_names=["logits"],
            opset_version=opset,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=65536)},),
            verbose=False,
        )
    if program is None:
        raise ParityError("the exporter gave nothing back")
    model = program.model_proto
    _forget_where_it_was_made(model)
    onnx.helper.set_model_props(model, dict(properties or {}))
    return bytes(model.SerializeToString())


def _forget_where_it_was_made(model: onnx.ModelProto) -> None:
    """The exporter notes the stack behind every node: this machine's paths, and half the names."""
    model.graph.ClearField("metadata_props")
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.ClearField("metadata_props")


def properties(spec: InputSpec, labels: Sequence[str], temperature: float) -> dict[str, str]:
    """What a program needs beside the numbers, for the file's metadata_props."""
    return {
        "labels": json.dumps(list(labels), ensure_ascii=False),
        "input": spec.model_dump_json(),
        "temperature": f"{temperature:g}",
    }


def opset_of(model: bytes) -> int:
    """Of the standard operators."""
    sets = onnx.load_from_string(model).opset_import
    return next(int(entry.version) for entry in sets if entry.domain in ("", "ai.onnx"))


def check(model: bytes, network: Network, images: Tensor) -> Onnx:
    """Compare logits on ``images`` (normalised), alone and in a batch. Raises ``ParityError``."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = network.eval()(images).numpy()
    together = session.run(["logits"], {"input": images.contiguous().numpy()})[0]
    alone = session.run(["logits"], {"input": images[:1].contiguous().numpy()})[0]
    worst = max(float(np.abs(together - expected).max()), float(np.abs(alone - expected[:1]).max()))
    if not worst <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise ParityError(f"logits differ by up to {worst:g} on {len(images)} images")
    return Onnx(opset=opset_of(model), max_abs_difference=worst, checked_images=len(images))
