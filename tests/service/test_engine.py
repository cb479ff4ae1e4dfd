"""One thread, in order, and no more waiting than allowed."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from glyphscope.checkpoint import Checkpoint, load
from glyphscope.errors import Busy
from glyphscope.preprocess import to_tensor
from glyphscope.store import Store
from service.engine import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(max_waiting=4)
    yield engine
    engine.close()


@pytest.fixture
def loaded(publish: Callable[..., Any], store: Store) -> Checkpoint:
    publish()
    return load(store.root / "mnist" / "1")


def images(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 255, (count, 1, 28, 28), np.uint8)


@pytest.mark.parametrize("count", [1, 32, 33, 70])
async def test_chunks_answer_as_the_whole(engine: Engine, loaded: Checkpoint, count: int) -> None:
    pixels = images(count)
    logits = await engine.classify(loaded, pixels)
    whole = loaded.network(to_tensor(pixels, loaded.manifest.input))
    torch.testing.assert_close(logits, whole)


async def test_runs_off_the_event_loop_in_one_thread(engine: Engine, loaded: Checkpoint) -> None:
    threads: set[str] = set()

    def keep(values: torch.Tensor) -> Any:
        threads.add(threading.current_thread().name)
        return values.numpy()

    for _ in range(3):
        await engine.activations(loaded, images(2), ["conv1"], keep)
    assert threads == {"inference_0"}


async def test_what_waits_is_bounded(engine: Engine, loaded: Checkpoint) -> None:
    go = threading.Event()

    def hold(values: torch.Tensor) -> Any:
        go.wait(10)
        return values.numpy()

    first = asyncio.create_task(engine.activations(loaded, images(2), ["conv1"], hold))
    await asyncio.sleep(0)
    second = asyncio.create_task(engine.classify(loaded, images(2)))
    await asyncio.sleep(0)
    with pytest.raises(Busy, match="4 images"):
        await engine.classify(loaded, images(1))
    go.set()
    await asyncio.gather(first, second)
    assert len(await engine.classify(loaded, images(4))) == 4


async def test_an_idle_engine_takes_a_batch_beyond_the_bound(
    engine: Engine, loaded: Checkpoint
) -> None:
    assert len(await engine.classify(loaded, images(9))) == 9
