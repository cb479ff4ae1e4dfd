"""A limit: raw ASGI and ONNX Runtime in the event loop; no route, no check, no batching.

With BENCH_MAPS it answers every layer's values instead, as the bytes that they are.
"""

import os
from typing import Any

import asgi
import network
import orjson

session = network.open_session()


async def labels(body: bytes) -> bytes:
    logits = session.run(["logits"], {"input": network.read(body)})[0]
    return orjson.dumps(network.answer(logits))


async def maps(body: bytes) -> bytes:
    found: list[Any] = session.run(None, {"input": network.read(body)})
    return b"".join([each.tobytes() for each in found])


asgi.serve(maps if os.environ.get("BENCH_MAPS") else labels, network.PORT)
