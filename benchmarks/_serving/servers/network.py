"""The card's network as every server here runs it: the same file, one thread, ONNX Runtime.

It needs numpy, Pillow and ONNX Runtime, and is imported in each server's own environment.
"""

import io
import os
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

MEAN, STD = np.float32(0.1307), np.float32(0.3081)

MODEL = os.environ.get("BENCH_MODEL", "")
PORT = int(os.environ.get("BENCH_PORT", "0"))
BATCH = int(os.environ.get("BENCH_BATCH", "1"))
"""Most requests in a batch of the server's own; 1 is none."""

Answer = list[dict[str, Any]]


def open_session(path: str = MODEL) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def read(body: bytes) -> Any:
    """A PNG file or an array (N, 28, 28) -> (N, 1, 28, 28), normalised."""
    if body.startswith(b"\x93NUMPY"):
        pixels = np.load(io.BytesIO(body))[:, None]
    else:
        pixels = np.asarray(Image.open(io.BytesIO(body), formats=("PNG",)))[None, None]
    return (pixels / np.float32(255) - MEAN) / STD


def answer(logits: Any) -> Answer:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    confidence = powers.max(axis=1) / powers.sum(axis=1)
    pairs = zip(logits.argmax(axis=1).tolist(), confidence.tolist(), strict=True)
    return [{"label": str(label), "confidence": share} for label, share in pairs]


def classify(session: Any, requests: list[Any]) -> list[Answer]:
    """What several requests sent, in one forward pass; an answer to each."""
    together = requests[0] if len(requests) == 1 else np.concatenate(requests)
    found = answer(session.run(["logits"], {"input": together})[0])
    answers, start = [], 0
    for each in requests:
        answers.append(found[start : start + len(each)])
        start += len(each)
    return answers
