"""A limit: all that Python can do with this network in one event loop, and nothing else.

Raw ASGI, Pillow, ONNX Runtime inline, no route, no check, no batching. It runs in any environment
that has uvicorn, orjson, Pillow and ONNX Runtime: ``limit_ort.py PORT MODEL``.
"""

import io
import sys
from typing import Any

import numpy as np
import onnxruntime
import orjson
import uvicorn
from PIL import Image

MEAN, STD = 0.1307, 0.3081


def session(path: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def read(body: bytes) -> Any:
    if body.startswith(b"\x93NUMPY"):
        pixels = np.load(io.BytesIO(body)).reshape(-1, 1, 28, 28)
    else:
        pixels = np.asarray(Image.open(io.BytesIO(body), formats=("PNG",)))[None, None]
    return ((pixels / np.float32(255)) - np.float32(MEAN)) / np.float32(STD)


def answer(logits: Any) -> bytes:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    confidence = powers.max(axis=1) / powers.sum(axis=1)
    pairs = zip(logits.argmax(axis=1).tolist(), confidence.tolist(), strict=True)
    return orjson.dumps([{"label": label, "confidence": p} for label, p in pairs])


def application(path: str) -> Any:
    run = session(path).run

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        found = answer(run(None, {"input": read(body)})[0])
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(found)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": found})

    return app


def serve(app: Any, port: int) -> None:
    uvicorn.run(
        app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", ws="none",
        lifespan="off", access_log=False, log_level="warning",
    )  # fmt: skip


if __name__ == "__main__":
    serve(application(sys.argv[2]), int(sys.argv[1]))
