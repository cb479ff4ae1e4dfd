"""Loaded once, kept while unchanged, and dropped when others are used."""

import asyncio
import functools
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from glyphscope.errors import BrokenCheckpoint, NotFound, Unavailable
from glyphscope.store import Ref, Store
from service.inference.model import Model
from service.versions.inspection import Inspector
from service.versions.registry import Registry
from service.versions.resolver import Resolver
from service.versions.rollout import Rollout, Share, change_rollout

Publish = Callable[..., Any]
Until = Callable[[Callable[[], Awaitable[Any]]], Awaitable[None]]


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store, "cpu", max_loaded=2)


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


async def test_what_serves_serves_on_until_the_new_version_is_loaded_and_warmed(
    publish: Publish, store: Store
) -> None:
    go, warmed = asyncio.Event(), []

    async def warm(checkpoint: Model) -> None:
        warmed.append(checkpoint.manifest.version)
        if checkpoint.manifest.version == 2:
            await go.wait()

    registry = Registry(store, "cpu", warm=warm)
    publish(seed=0)
    first = await registry.get("mnist")
    publish(seed=1)
    for _ in range(3):
        assert await registry.route("mnist", "") is first
    assert await registry.get("mnist@1") is first
    loading = asyncio.create_task(registry.get("mnist@2"))
    go.set()
    second = await loading
    assert await registry.route("mnist", "") is second
    assert warmed == [1, 2]
    store.set_alias("mnist", "production", 1)
    assert await registry.get("mnist") is first  # it is still in memory: back at once


async def test_a_broken_version_leaves_the_last_good_one_also_after_a_restart(
    publish: Publish, store: Store, tmp_path: Path, until: Until
) -> None:
    def started() -> Registry:
        return Registry(store, "cpu", state=tmp_path / "state")

    registry = started()
    publish(seed=0)
    good = await registry.get("mnist")
    publish(seed=1)
    weights = store.root / "mnist" / "2" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    for _ in range(3):
        assert await registry.route("mnist", "") is good

    again = started()
    [found] = await again.load_production()
    assert found.manifest.version == 1
    assert list(again.refused()) == ["mnist@2"]
    [listing] = await again.survey()
    assert listing.serving == {"production": 1}
    assert "not the file" in listing.held[0].reason

    weights.write_bytes(whole)

    async def moved() -> bool:
        await again.loader.retry()
        return (await again.route("mnist", "")).manifest.version == 2

    await until(moved)
    assert again.refused() == {}


async def test_a_new_process_starts_with_what_the_alias_names_now(
    publish: Publish, store: Store, tmp_path: Path
) -> None:
    publish(seed=0)
    await Registry(store, "cpu", state=tmp_path / "state").get("mnist")
    publish(seed=1)
    [found] = await Registry(store, "cpu", state=tmp_path / "state").load_production()
    assert found.manifest.version == 2


async def test_a_canary_takes_its_share_once_it_is_there(
    registry: Registry, publish: Publish, store: Store, until: Until
) -> None:
    publish(seed=0)
    publish(seed=1, alias="candidate")
    share = Share(to="candidate", percent=30)
    change_rollout(store, "mnist", lambda rollout: rollout.model_copy(update={"canary": share}))
    ids = [f"request-{i}" for i in range(200)]
    before = [(await registry.route("mnist", each)).manifest.version for each in ids[:20]]
    assert before == [1] * 20  # it is being loaded
    await registry.loader.load(Ref("mnist", 2))
    for text in ("mnist", "mnist@production"):
        found = [(await registry.route(text, each)).manifest.version for each in ids]
        assert found == [2 if share.takes("mnist", each) else 1 for each in ids]
        assert 30 < found.count(2) < 90
    for text, version in (("mnist@1", 1), ("mnist@candidate", 2)):
        assert {(await registry.route(text, each)).manifest.version for each in ids} == {version}
    assert (await registry.get("mnist")).manifest.version == 1


async def test_a_broken_canary_is_not_asked(
    registry: Registry, publish: Publish, store: Store
) -> None:
    publish(seed=0)
    publish(seed=1, alias="candidate")
    (store.root / "mnist" / "2" / "model.safetensors").write_bytes(b"")
    for to in ("candidate", "2", "9", "nobody"):
        rollout = Rollout(canary=Share(to=to, percent=100))
        change_rollout(store, "mnist", functools.partial(lambda new, _: new, rollout))
        for i in range(4):
            assert (await registry.route("mnist", f"{i}")).manifest.version == 1
            await asyncio.sleep(0)


async def test_a_pinned_version_is_never_dropped(
    registry: Registry, publish: Publish, store: Store
) -> None:
    for seed in range(4):
        publish(seed=seed)
    change_rollout(store, "mnist", lambda rollout: rollout.with_pinned(1))
    pinned = await registry.get("mnist@1")
    for version in (2, 3, 4, 2):
        await registry.get(f"mnist@{version}")
    assert await registry.get("mnist@1") is pinned
    assert len(registry.loaded()) == 2


async def test_an_unloaded_version_is_refused_until_it_is_loaded(
    registry: Registry, publish: Publish, store: Store
) -> None:
    publish(seed=0)
    publish(seed=1, alias=None)
    await registry.get("mnist@2")
    change_rollout(store, "mnist", lambda rollout: rollout.with_unloaded(2))
    registry.look(["mnist"])
    assert registry.loaded() == []
    with pytest.raises(Unavailable, match="mnist@2 was unloaded"):
        await registry.get("mnist@2")
    assert (await registry.get("mnist")).manifest.version == 1
    change_rollout(store, "mnist", lambda rollout: rollout.with_loaded(2))
    assert (await registry.get("mnist@2")).manifest.version == 2


async def test_a_rollout_that_is_torn_changes_nothing(
    registry: Registry, publish: Publish, store: Store
) -> None:
    publish(seed=0)
    publish(seed=1, alias=None)
    change_rollout(store, "mnist", lambda rollout: rollout.with_unloaded(2))
    with pytest.raises(Unavailable):
        registry.resolve("mnist@2")
    (store.root / "mnist" / "rollout.json").write_text("{")
    with pytest.raises(Unavailable):
        registry.resolve("mnist@2")
    assert registry.resolve("mnist") == Ref("mnist", 1)
    [listing] = await registry.survey()
    assert "rollout.json" in listing.broken[0].reason


async def test_at_hand_is_what_every_request_gets(
    registry: Registry, publish: Publish, store: Store
) -> None:
    publish(seed=0)
    assert registry.at_hand("mnist") is None  # not loaded yet
    assert registry.at_hand("abacus") is None
    first = await registry.get("mnist")
    assert registry.at_hand("mnist") is registry.at_hand("mnist@1") is first
    publish(seed=1)
    assert registry.at_hand("mnist") is None  # the alias has moved
    second = await registry.get("mnist")
    assert registry.at_hand("mnist") is second
    assert registry.at_hand("mnist@1") is first


@pytest.mark.parametrize(
    "rollout",
    [
        Rollout(canary=Share(to="1", percent=1)),
        Rollout(shadow=Share(to="1", percent=1)),
        Rollout(unloaded=(2,)),
    ],
)
async def test_nothing_is_at_hand_where_requests_differ(
    registry: Registry, publish: Publish, store: Store, rollout: Rollout
) -> None:
    publish(seed=0)
    publish(seed=1)
    await registry.get("mnist")
    assert registry.at_hand("mnist") is not None
    change_rollout(store, "mnist", lambda _: rollout)
    assert registry.at_hand("mnist") is None
