"""Stores on a local file system and in memory, which fsspec reaches as it reaches a bucket."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from glyphscope import checkpoint
from glyphscope.catalogue import network_spec
from glyphscope.errors import BrokenCheckpoint, Conflict, InvalidInput, NotFound
from glyphscope.manifest import Manifest
from glyphscope.networks import build
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Ref, Store
from training import remote, transfer
from training.remote import Remote, TransferFailed


def publish(store: Store, name: str = "tiny", seed: int = 0) -> Manifest:
    network = build(network_spec("linear", (1, 28, 28), 10), seed=seed)
    draft = Manifest(
        name=name, version=1, created="2026-01-01T00:00:00+00:00", network=network.spec,
        input=InputSpec(), labels=LabelSet(names=tuple("0123456789")),
    )  # fmt: skip

    def write(folder: Path, version: int) -> Manifest:
        manifest = draft.model_copy(update={"version": version})
        return checkpoint.write(folder, manifest, network, {"history.json": b"[]"})

    return store.publish(name, write)


@pytest.fixture
def here(tmp_path: Path) -> Store:
    store = Store(tmp_path / "here")
    publish(store, seed=0)
    publish(store, seed=1)
    return store


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


@pytest.fixture(params=["path", "file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield {
        "path": str(tmp_path / "there"),
        "file": f"file://{tmp_path}/there",
        "memory": "memory://there/models",
    }[request.param]
    memory = fsspec.filesystem("memory")
    for path in memory.ls("/", detail=False):
        memory.rm(path, recursive=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_pushed_comes_back_byte_for_byte(here: Store, other: Store, url: str) -> None:
    sent = transfer.push(here, "tiny@1", url)
    assert (sent.ref, sent.new, sent.where) == (Ref("tiny", 1), True, f"{url}/tiny/1")
    got = transfer.pull(f"{url}/tiny@1", other)
    assert got.new
    assert (
        got.size
        == sent.size
        == sum(map(len, contents(here.path(sent.ref)).values()))
        - len((here.path(sent.ref) / "manifest.json").read_bytes())
    )
    assert contents(other.path(got.ref)) == contents(here.path(sent.ref))
    assert checkpoint.load(other.path(got.ref)).manifest.ref == "tiny@1"


def test_a_second_time_it_is_there_already(here: Store, other: Store, url: str) -> None:
    assert [transfer.push(here, "tiny", url).new for _ in range(2)] == [True, False]
    assert [transfer.pull(f"{url}/tiny@2", other).new for _ in range(2)] == [True, False]


def test_aliases_move_only_when_asked(here: Store, other: Store, url: str) -> None:
    transfer.push(here, "tiny@1", url)
    with pytest.raises(
        NotFound, match="version or alias of tiny over there 'production'; known: 1"
    ):
        transfer.pull(f"{url}/tiny", other)
    transfer.push(here, "tiny@2", url, alias="production")
    transfer.push(here, "tiny@1", url, alias="old")
    assert transfer.pull(f"{url}/tiny", other).ref == Ref("tiny", 2)
    assert transfer.pull(f"{url}/tiny@old", other).ref == Ref("tiny", 1)
    assert other.aliases("tiny") == {}
    transfer.pull(f"{url}/tiny@1", other, alias="production")
    assert other.resolve("tiny") == Ref("tiny", 1)


def test_another_checkpoint_of_the_same_version_is_never_replaced(
    here: Store, other: Store, url: str
) -> None:
    publish(other, seed=7)
    transfer.push(here, "tiny@1", url)
    before = Remote.at(url).manifest(Ref("tiny", 1))
    with pytest.raises(Conflict, match="another tiny@1; versions never change"):
        transfer.push(other, "tiny@1", url)
    assert Remote.at(url).manifest(Ref("tiny", 1)) == before
    mine = contents(other.path(Ref("tiny", 1)))
    with pytest.raises(Conflict, match="has another tiny@1; pull it into a store of its own"):
        transfer.pull(f"{url}/tiny@1", other)
    assert contents(other.path(Ref("tiny", 1))) == mine


def test_half_a_version_is_none(here: Store, other: Store, url: str) -> None:
    transfer.push(here, "tiny@1", url)
    there = Remote.at(url)
    half = Ref("tiny", 2)
    there.send(half, "history.json", b"[]")
    assert there.versions("tiny") == [1]
    with pytest.raises(NotFound, match="'2'; known: 1"):
        transfer.pull(f"{url}/tiny@2", other)
    assert transfer.push(here, "tiny@2", url).new
    assert transfer.pull(f"{url}/tiny@2", other).new


def test_the_manifest_travels_last(here: Store, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    sent: list[str] = []
    write = Remote._write

    def listening(self: Remote, path: str, data: bytes) -> None:
        sent.append(path.rpartition("/")[2])
        write(self, path, data)

    monkeypatch.setattr(Remote, "_write", listening)
    transfer.push(here, "tiny@1", url)
    assert sent[-1] == "manifest.json"
    assert len(sent) == 4


def test_a_file_changed_over_there_is_refused_and_pushed_again(
    here: Store, other: Store, url: str
) -> None:
    transfer.push(here, "tiny@1", url)
    there = Remote.at(url)
    there._write(f"{there.root}/tiny/1/model.safetensors", b"something else")
    with pytest.raises(BrokenCheckpoint, match=r"model\.safetensors is not the file"):
        transfer.pull(f"{url}/tiny@1", other)
    assert other.names() == []
    assert [p.name for p in (other.root / "tiny").iterdir()] == [".lock"]
    transfer.push(here, "tiny@1", url)
    assert transfer.pull(f"{url}/tiny@1", other).new


def test_a_broken_checkpoint_is_not_pushed(here: Store, url: str) -> None:
    (here.root / "tiny/1/history.json").write_bytes(b"[1]")
    with pytest.raises(BrokenCheckpoint, match=r"history\.json is not the file"):
        transfer.push(here, "tiny@1", url)
    assert Remote.at(url).names() == []


def test_a_manifest_that_names_another_model_is_refused(
    here: Store, other: Store, tmp_path: Path
) -> None:
    transfer.push(here, "tiny@1", str(tmp_path / "there"))
    shutil.move(tmp_path / "there/tiny", tmp_path / "there/large")
    with pytest.raises(BrokenCheckpoint, match="it is tiny@1, not large@1"):
        transfer.pull(f"{tmp_path}/there/large@1", other)


def test_what_did_not_arrive_as_sent_is_no_version(
    here: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write = Remote._write
    monkeypatch.setattr(Remote, "_write", lambda self, path, data: write(self, path, data[:-1]))
    with pytest.raises(TransferFailed, match="did not arrive as it was sent"):
        transfer.push(here, "tiny@1", str(tmp_path / "there"))
    assert Remote.at(str(tmp_path / "there")).versions("tiny") == []


def test_errors_of_a_file_system_name_the_address(
    here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("403: who are you?")

    monkeypatch.setattr(fsspec.filesystem("memory"), "pipe_file", refuse)
    with pytest.raises(TransferFailed, match=r"memory://there: 403: who are you\?"):
        transfer.push(here, "tiny@1", "memory://there")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("teleport://moon", "teleport:// is unknown; known: a path, file://, memory://, s3://"),
        ("s3://bucket/models", "s3:// needs a package that is not here; install it with: pip "),
        ("hf://user/repo", "pip install huggingface_hub"),
    ],
)
def test_an_address_that_cannot_be_reached_says_what_to_do(
    here: Store, monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    for package in ("s3fs", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InvalidInput) as caught:
        transfer.push(here, "tiny@1", address)
    assert said in str(caught.value)


def test_a_hugging_face_address_is_one_of_its_own_file_system() -> None:
    """Only how the address is read: the network is not used."""
    if "hf" not in fsspec.available_protocols():
        pytest.skip("this fsspec knows no Hugging Face")
    hub = pytest.importorskip("huggingface_hub")
    there = Remote.at("hf://user/repo/models")
    assert isinstance(there.files, hub.HfFileSystem)
    assert there.root == "user/repo/models"


@pytest.mark.parametrize("url", ["tiny", "memory://tiny", "/"])
def test_pull_wants_a_model_behind_the_address(other: Store, url: str) -> None:
    with pytest.raises(InvalidInput, match="pull takes URL/MODEL"):
        transfer.pull(url, other)


def test_bad_names_are_told_before_anything_is_sent(here: Store, other: Store, url: str) -> None:
    with pytest.raises(NotFound, match="unknown model 'huge'; known: tiny"):
        transfer.push(here, "huge", url)
    with pytest.raises(InvalidInput, match="an alias must match"):
        transfer.push(here, "tiny@1", url, alias="Live!")
    assert Remote.at(url).names() == []
    with pytest.raises(NotFound, match="unknown model over there 'tiny'; none are known"):
        transfer.pull(f"{url}/tiny", other)
    transfer.push(here, "tiny@1", url)
    with pytest.raises(NotFound, match="unknown model over there 'huge'; known: tiny"):
        transfer.pull(f"{url}/huge@1", other)


def test_every_package_that_is_named_belongs_to_a_scheme_that_fsspec_knows() -> None:
    assert set(remote.PACKAGES) <= set(fsspec.available_protocols())
