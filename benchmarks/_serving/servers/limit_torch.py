"""A limit: raw ASGI and torch in a thread, eager, channels last; no route, check or batching."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asgi
import network
import orjson
import torch

from glyphscope.checkpoint import load

torch.set_num_threads(1)
net = load(Path(os.environ["BENCH_CHECKPOINT"])).network
thread = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))


def forward(body: bytes) -> bytes:
    x = torch.from_numpy(network.read(body)).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        # Above 32 images glibc's mmap threshold halves convolutions at random.
        logits = torch.cat([net(part) for part in x.split(32)])
    return orjson.dumps(network.answer(logits.numpy()))


async def work(body: bytes) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(thread, forward, body)


asgi.serve(work, network.PORT)
