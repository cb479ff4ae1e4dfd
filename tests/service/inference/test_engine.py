"""Answers are the network's own, whatever shares a turn; activations run in one thread."""

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from glyphscope.errors import Busy
from glyphscope.folder import read_manifest
from glyphscope.preprocess import to_tensor
from glyphscope.store import Store
from service.inference.engine import Engine
from service.inference.model import Model, open_model


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(max_waiting=4)
    yield engine
    engine.close()


@pytest.fixture
def loaded(publish: Callable[..., Any], store: Store) -> Model:
    publish()
    folder = store.root / "mnist" / "1"
    return open_model(read_manifest(folder), folder)


def images(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 255, (count, 1, 28, 28), np.uint8)


@pytest.mark.parametrize("count", [1, 32, 33, 70])
async def test_turns_answer_as_the_whole(engine: Engine, loaded: Model, count: int) -> None:
    pixels = images(count)
    logits = await engine.classify(loaded, pixels)
    whole = loaded.opened().network(to_tensor(pixels, loaded.manifest.input))
    torch.testing.assert_close(torch.from_numpy(logits), whole)


async def test_requests_that_run_together_get_their_own_answers(loaded: Model) -> None:
    engine, pixels = Engine(), images(90)
    whole = await engine.classify(loaded, pixels)
    edges = [0, 1, 2, 35, 36, 90]
    requests = [engine.classify(loaded, pixels[a:b]) for a, b in itertools.pairwise(edges)]
    found = await asyncio.gather(*requests)
    assert [len(each) for each in found] == [1, 1, 33, 1, 54]
    np.testing.assert_allclose(np.concatenate(found), whole, rtol=1e-4, atol=1e-5)
    assert engine.waiting == 0
    engine.close()


async def test_long_passes_run_in_one_thread(engine: Engine, loaded: Model) -> None:
    threads: set[str] = set()

    def keep(values: torch.Tensor) -> Any:
        threads.add(threading.current_thread().name)
        time.sleep(0.02)  # an image, of which the event loop takes eight milliseconds at most
        return values.numpy()

    for _ in range(3):
        await engine.activations(loaded, images(1), ["conv1"], keep)
    assert threads == {"inference_0"}


async def test_what_waits_is_bounded(engine: Engine, loaded: Model) -> None:
    go = threading.Event()

    def hold(values: torch.Tensor) -> Any:
        go.wait(60)
        return values.numpy()

    # Two pieces of work whose pace is not known yet: each goes to the thread.
    first = asyncio.create_task(engine.activations(loaded, images(2), ["conv1"], hold))
    await asyncio.sleep(0)
    second = asyncio.create_task(engine.activations(loaded, images(2), ["conv1"], hold))
    await asyncio.sleep(0)
    with pytest.raises(Busy, match="4 images"):
        await engine.classify(loaded, images(1))
    go.set()
    await asyncio.gather(first, second)
    assert len(await engine.classify(loaded, images(4))) == 4


async def test_an_idle_engine_takes_a_batch_beyond_the_bound(engine: Engine, loaded: Model) -> None:
    assert len(await engine.classify(loaded, images(9))) == 9


async def test_who_is_cancelled_is_not_run(loaded: Model) -> None:
    engine, ran = Engine(), []

    def forward(pixels: Any) -> Any:
        ran.append(len(pixels))
        return loaded.forward(pixels)

    model = Model(loaded.manifest, forward, loaded.runtime, loaded.opened)
    left = asyncio.create_task(engine.classify(model, images(3)))
    stays = asyncio.create_task(engine.classify(model, images(2)))
    await asyncio.sleep(0)
    left.cancel()
    assert len(await stays) == 2
    assert (ran, engine.waiting) == ([2], 0)
    engine.close()
