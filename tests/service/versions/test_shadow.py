"""What is compared is counted; what is offered beyond the bound, or fails, disturbs nobody."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glyphscope.errors import BrokenCheckpoint
from glyphscope.folder import read_manifest
from glyphscope.preprocess import to_tensor
from glyphscope.store import Store
from service.inference.model import Model, open_model
from service.versions.shadow import MOST_IMAGES, Shadow

Until = Callable[[Callable[[], Awaitable[Any]]], Awaitable[None]]
Pair = tuple[Model, Model]


@pytest.fixture
def pair(publish: Callable[..., Any], store: Store) -> Pair:
    for seed in (0, 1):
        publish(seed=seed)
    folders = [store.root / "mnist" / version for version in "12"]
    first, second = (open_model(read_manifest(folder), folder) for folder in folders)
    return first, second


class Gate:
    """Whether requests wait for the network."""

    def __init__(self) -> None:
        self.idle = True

    def __call__(self) -> bool:
        return self.idle


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def shadow(gate: Gate) -> Iterator[Shadow]:
    shadow = Shadow(gate, most_waiting=40)
    yield shadow
    shadow.close()


def images(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (count, 1, 28, 28), np.uint8)


def logits(model: Model, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    checkpoint = model.opened()
    x = to_tensor(pixels, checkpoint.manifest.input, checkpoint.device)
    found: NDArray[np.float32] = checkpoint.network(x).numpy()
    return found


def zeros(images: int) -> NDArray[np.float32]:
    return np.zeros((images, 10), np.float32)


async def settled(shadow: Shadow, until: Until, images: int) -> dict[str, Any]:
    async def seen() -> bool:
        [row] = shadow.report()
        return bool(row["compared"] + row["failed"] == images)

    await until(seen)
    [row] = shadow.report()
    return row


async def test_disagreements_are_counted(pair: Pair, shadow: Shadow, until: Until) -> None:
    first, second = pair
    pixels = images(30)
    given = logits(first, pixels)
    expected = int((given.argmax(1) != logits(second, pixels).argmax(1)).sum())
    assert expected > 0
    shadow.offer(first, second, pixels, given)
    row = await settled(shadow, until, 30)
    assert row == {
        "serving": "mnist@1", "shadow": "mnist@2", "compared": 30, "disagreements": expected,
        "dropped": 0, "incomparable": 0, "failed": 0,
    }  # fmt: skip


async def test_nothing_runs_while_requests_do_and_what_waits_is_bounded(
    pair: Pair, shadow: Shadow, gate: Gate, until: Until
) -> None:
    first, second = pair
    gate.idle = False
    shadow.offer(first, second, images(100), zeros(100))
    for _ in range(20):
        shadow.offer(first, second, images(1), zeros(1))
    for _ in range(10):
        await asyncio.sleep(0.001)
    [row] = shadow.report()
    assert (row["compared"], row["dropped"], shadow.waiting) == (0, 120 - 40, 40)
    assert MOST_IMAGES < 40
    gate.idle = True
    assert (await settled(shadow, until, 40))["compared"] == 40


async def test_a_version_that_fails_is_counted_and_the_next_offer_is_taken(
    pair: Pair, shadow: Shadow, until: Until
) -> None:
    first, second = pair

    def fail() -> Any:
        raise BrokenCheckpoint("no such file")

    broken = Model(second.manifest, second.forward, second.runtime, fail)
    shadow.offer(first, broken, images(3), zeros(3))
    assert (await settled(shadow, until, 3))["failed"] == 3
    shadow.offer(first, second, images(2), zeros(2))
    assert (await settled(shadow, until, 5))["compared"] == 2


async def test_networks_of_other_pictures_are_not_compared(pair: Pair, shadow: Shadow) -> None:
    first, second = pair
    other_input = second.manifest.input.model_copy(update={"polarity": "dark-on-light"})
    manifest = second.manifest.model_copy(update={"input": other_input})
    other = Model(manifest, second.forward, second.runtime, second.opened)
    shadow.offer(first, other, images(3), zeros(3))
    [row] = shadow.report()
    assert (row["incomparable"], shadow.waiting) == (3, 0)
