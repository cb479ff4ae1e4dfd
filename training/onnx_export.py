"""A network as ONNX, checked against torch on real images before anybody gets it."""

import io
import logging
import warnings

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from glyphscope.errors import GlyphscopeError
from glyphscope.manifest import Onnx
from glyphscope.networks import Network

OPSET = 18

TOLERANCE = 1e-3
"""Largest difference of a logit that counts as the same network in float32."""


class ParityError(GlyphscopeError):
    code = "onnx-parity"
    title = "ONNX Runtime and torch disagree"


def export(network: Network) -> bytes:
    """Input "input" (N, C, H, W) float32, normalised; output "logits" (N, classes); N is free."""
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
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=65536)},),
            verbose=False,
        )
    if program is None:
        raise ParityError("the exporter gave nothing back")
    buffer = io.BytesIO()
    buffer.write(program.model_proto.SerializeToString())
    return buffer.getvalue()


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
    return Onnx(opset=OPSET, max_abs_difference=worst, checked_images=len(images))
