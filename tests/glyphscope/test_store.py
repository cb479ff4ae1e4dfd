import json
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from glyphscope import checkpoint
from glyphscope.catalogue import network_spec
from glyphscope.errors import BrokenCheckpoint, Conflict, InvalidInput, NotFound
from glyphscope.folder import read_manifest
from glyphscope.manifest import Manifest
from glyphscope.networks import build
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Ref, Store

Publish = Callable[..., Manifest]


def test_versions_rise_and_production_follows(store: Store, publish: Publish) -> None:
    assert [publish(seed=s).version for s in (0, 1, 2)] == [1, 2, 3]
    assert store.names() == ["tiny"]
    assert store.versions("tiny") == [1, 2, 3]
    assert store.resolve("tiny") == Ref("tiny", 3)
    assert store.resolve("tiny@1") == Ref("tiny", 1)


def test_an_alias_moves_and_moves_back(store: Store, publish: Publish) -> None:
    publish(), publish(seed=1, alias="candidate")
    assert store.resolve("tiny").version == 1
    assert store.resolve("tiny@candidate").version == 2
    store.set_alias("tiny", "production", 2)
    assert store.resolve("tiny").version == 2
    store.set_alias("tiny", "production", 1)
    assert json.loads((store.root / "tiny/aliases.json").read_text()) == {
        "candidate": 2,
        "production": 1,
    }


def test_a_deleted_version_number_does_not_come_back(store: Store, publish: Publish) -> None:
    publish(), publish(seed=1)
    shutil.rmtree(store.root / "tiny/2")
    assert publish(seed=2).version == 3


def test_a_version_from_elsewhere_keeps_its_number_and_moves_no_alias(
    store: Store, publish: Publish
) -> None:
    publish()
    made = store.path(Ref("tiny", 1))

    def write(folder: Path, version: int) -> Manifest:
        shutil.copytree(made, folder, dirs_exist_ok=True)
        return read_manifest(folder)

    store.adopt("tiny", 7, write)
    assert store.versions("tiny") == [1, 7]
    assert store.resolve("tiny") == Ref("tiny", 1)
    with pytest.raises(Conflict, match="has tiny@7 already"):
        store.adopt("tiny", 7, write)
    assert publish(seed=2).version == 8


def test_unknown_names_list_the_known_ones(store: Store, publish: Publish) -> None:
    publish(), publish(seed=1, alias=None)
    with pytest.raises(NotFound, match="unknown model 'mnits'; known: tiny"):
        store.resolve("mnits")
    with pytest.raises(NotFound, match="version of model tiny '7'; known: 1, 2"):
        store.resolve("tiny@7")
    with pytest.raises(NotFound, match="'staging'; known: 1, 2, production"):
        store.resolve("tiny@staging")
    with pytest.raises(NotFound):
        store.set_alias("tiny", "production", 9)


@pytest.mark.parametrize(
    "ref", ["", "@1", "../tiny", "tiny/1", "TINY", "tiny@-1", "tiny@1@2", "tiny@²"]
)
def test_odd_references_are_just_unknown(store: Store, publish: Publish, ref: str) -> None:
    publish()
    with pytest.raises(NotFound):
        store.resolve(ref)


def test_a_publication_that_fails_leaves_nothing(store: Store, publish: Publish) -> None:
    publish()

    def write(folder: Path, version: int) -> Manifest:
        (folder / "model.safetensors").write_bytes(b"half")
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        store.publish("tiny", write)
    assert store.versions("tiny") == [1]
    assert store.resolve("tiny").version == 1
    assert not list((store.root / "tiny").glob(".staging-*"))


def test_a_half_written_version_is_not_seen(store: Store, publish: Publish) -> None:
    publish()
    seen: list[list[int]] = []

    def write(folder: Path, version: int) -> Manifest:
        seen.append(store.versions("tiny"))
        return Manifest.model_validate_json((store.root / "tiny/1/manifest.json").read_bytes())

    store.publish("tiny", write)
    assert seen == [[1]]
    assert store.versions("tiny") == [1, 2]


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", "-a", "a" * 65])
def test_names_that_are_no_names_are_refused(store: Store, name: str) -> None:
    def write(folder: Path, version: int) -> Manifest:
        raise AssertionError("nothing may be written under such a name")

    with pytest.raises(InvalidInput, match="name must match"):
        store.publish(name, write)


def test_a_broken_aliases_file_is_said_to_be_broken(store: Store, publish: Publish) -> None:
    publish()
    (store.root / "tiny/aliases.json").write_text('{"production": "1"}')
    with pytest.raises(BrokenCheckpoint, match="must map names to version numbers"):
        store.resolve("tiny")
    assert store.resolve("tiny@1").version == 1


def _publish_some(root: Path, count: int) -> None:
    network = build(network_spec("linear", (1, 28, 28), 2))

    def write(folder: Path, version: int) -> Manifest:
        draft = Manifest(
            name="many",
            version=version,
            created="2026-01-01T00:00:00+00:00",
            network=network.spec,
            input=InputSpec(),
            labels=LabelSet(names=("a", "b")),
        )
        return checkpoint.write(folder, draft, network, {})

    for _ in range(count):
        Store(root).publish("many", write)


def test_writers_in_several_processes_never_share_a_version(store: Store) -> None:
    context = multiprocessing.get_context("forkserver")  # which imports PyTorch once for all
    context.set_forkserver_preload(["glyphscope.checkpoint"])
    workers = [context.Process(target=_publish_some, args=(store.root, 10)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [w.exitcode for w in workers] == [0, 0, 0]
    assert store.versions("many") == list(range(1, 31))
    for version in store.versions("many"):
        assert read_manifest(store.root / f"many/{version}").version == version
