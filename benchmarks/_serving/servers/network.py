"""The card's network as the servers here run it, with one thread.

``open_session`` is ONNX Runtime's, or with BENCH_WEIGHTS torch's, eager and channels last, as the
servers' own guides have it. It is imported in each server's own environment, which has numpy,
Pillow and one of the two.
"""

import io
import os
from typing import Any

import numpy as np
from PIL import Image

MEAN, STD = np.float32(0.1307), np.float32(0.3081)

MODEL = os.environ.get("BENCH_MODEL", "")
WEIGHTS = os.environ.get("BENCH_WEIGHTS", "")
"""An npz file of the network's parameters by name."""
PORT = int(os.environ.get("BENCH_PORT", "0"))
BATCH = int(os.environ.get("BENCH_BATCH", "1"))
"""Most requests in a batch of the server's own; 1 is none."""

Answer = list[dict[str, Any]]


def open_session() -> Any:
    """``run(["logits"], {"input": x})``, x float32 (N, 1, 28, 28)."""
    return _torch_session() if WEIGHTS else _onnx_session()


def _torch_session() -> Any:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10),
    )  # fmt: skip
    with np.load(WEIGHTS) as file:
        # In the order of the layers, whatever they are called.
        values = [torch.from_numpy(file[name]) for name in file.files]
    net.load_state_dict(dict(zip(net.state_dict(), values, strict=True)))
    net = net.eval().to(memory_format=torch.channels_last)

    class Session:
        def run(self, _: list[str], feeds: dict[str, Any]) -> list[Any]:
            x = torch.from_numpy(feeds["input"]).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                # Above 32 images glibc's mmap threshold halves convolutions at random.
                return [torch.cat([net(part) for part in x.split(32)]).numpy()]

    return Session()


def _onnx_session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])


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
