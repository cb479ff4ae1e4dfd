"""Loaded once, kept while unchanged, and dropped when others are used."""

import asyncio
import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch

from glyphscope.errors import BrokenCheckpoint, NotFound
from glyphscope.store import Ref, Store
from service.inspection import Inspector
from service.registry import Registry
from service.resolver import Resolver

Publish = Callable[..., Any]


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store, torch.device("cpu"), max_loaded=2)


async def test_the_same_version_is_loaded_once(registry: Registry, publish: Publish) -> None:
    publish()
    found = await asyncio.gather(*(registry.get("mnist") for _ in range(8)))
    assert all(each is found[0] for each in found)
    assert await registry.get("mnist@1") is found[0]


async def test_the_version_used_longest_ago_is_dropped(
    registry: Registry, publish: Publish
) -> None:
    for seed in range(3):
        publish(seed=seed)
    first = await registry.get("mnist@1")
    await registry.get("mnist@2")
    assert await registry.get("mnist@1") is first
    await registry.get("mnist@3")
    assert registry.loaded() == [Ref("mnist", 1), Ref("mnist", 3)]
    assert await registry.get("mnist@1") is first


async def test_an_alias_moves_at_once(registry: Registry, publish: Publish, store: Store) -> None:
    publish(seed=0)
    publish(seed=1)
    assert registry.resolve("mnist") == Ref("mnist", 2)
    store.set_alias("mnist", "production", 1)
    assert registry.resolve("mnist") == Ref("mnist", 1)
    publish(seed=2)
    assert registry.resolve("mnist") == Ref("mnist", 3)


def test_an_alias_moves_long_after_it_was_read(publish: Publish, store: Store) -> None:
    """The folder is old enough then for its answer to be remembered."""
    publish(seed=0)
    publish(seed=1)
    home = store.root / "mnist"
    resolver = Resolver(store, settled_ns=0)
    assert resolver.resolve("mnist") == Ref("mnist", 2)
    assert "mnist" in resolver.remembered()
    assert resolver.resolve("mnist") == Ref("mnist", 2)
    store.set_alias("mnist", "production", 1)
    assert resolver.resolve("mnist") == Ref("mnist", 1)
    (home / "aliases.json").write_text('{"production": 2, "a": 1}')
    assert resolver.resolve("mnist") == Ref("mnist", 2)
    shutil.rmtree(home)
    with pytest.raises(NotFound):
        resolver.resolve("mnist")


async def test_a_store_filled_anew_is_read_anew(
    registry: Registry, publish: Publish, store: Store
) -> None:
    publish(seed=0)
    before = await registry.get("mnist")
    shutil.rmtree(store.root / "mnist")
    publish(seed=1)
    after = await registry.get("mnist")
    assert before.manifest.digest != after.manifest.digest


async def test_production_versions_are_loaded_and_broken_ones_left_out(
    registry: Registry, publish: Publish, store: Store
) -> None:
    for name in ("a", "b", "c"):
        publish(name)
    publish("d", alias=None)
    (store.root / "b" / "1" / "manifest.json").unlink()
    found = await registry.load_production()
    assert [each.manifest.name for each in found] == ["a", "c"]


def test_a_fault_that_is_not_the_files_is_not_kept(publish: Publish, store: Store) -> None:
    publish()
    inspector = Inspector(store)

    def no_memory() -> None:
        raise MemoryError

    with pytest.raises(BrokenCheckpoint, match="MemoryError"):
        inspector.guard(Ref("mnist", 1), no_memory)
    assert inspector.inspect(Ref("mnist", 1)).ref == "mnist@1"


async def test_a_broken_version_is_not_read_again_and_again(
    registry: Registry, publish: Publish, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    publish()
    weights = store.root / "mnist" / "1" / "model.safetensors"
    os.truncate(weights, 10)
    for _ in range(3):
        with pytest.raises(BrokenCheckpoint, match="not the file"):
            await registry.get("mnist")
    assert len([record for record in caplog.records if "refused" in record.message]) == 1
