"""A limit: raw ASGI and torch in a thread, eager, channels last; no route, check or batching."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import asgi
import network
import orjson
import torch

session = network.open_session()
thread = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))


def forward(body: bytes) -> bytes:
    logits = session.run(["logits"], {"input": network.read(body)})[0]
    return orjson.dumps(network.answer(logits))


async def work(body: bytes) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(thread, forward, body)


asgi.serve(work, network.PORT)
