import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import torch as tensors

from glyphscope import checkpoint
from glyphscope.catalogue import network_spec
from glyphscope.errors import BrokenCheckpoint
from glyphscope.manifest import Manifest, sha256
from glyphscope.networks import build
from glyphscope.store import Store

Publish = Callable[..., Manifest]


@pytest.fixture
def folder(store: Store, publish: Publish) -> Path:
    publish(seed=3)
    return store.path(store.resolve("tiny"))


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_what_is_loaded_answers_as_what_was_saved(folder: Path) -> None:
    original = build(network_spec("card-cnn", (1, 28, 28), 10, features=[4], units=8), seed=3)
    found = checkpoint.load(folder)
    x = torch.rand(5, 1, 28, 28)
    assert torch.allclose(found.network(x), original.eval()(x), atol=1e-6)
    assert not found.network.training
    assert not any(p.requires_grad for p in found.network.parameters())
    assert found.labels == tuple("0123456789")


def test_the_first_layer_lies_on_its_own(folder: Path) -> None:
    alone = tensors.load_file(folder / "first_layer.safetensors")
    whole = tensors.load_file(folder / "model.safetensors")
    assert set(alone) == {"weight", "bias"}
    assert torch.equal(alone["weight"], whole["conv1.weight"])


def test_the_digest_names_what_is_computed_and_not_what_it_is_called(publish: Publish) -> None:
    a, renamed, other = publish("a", seed=0), publish("b", seed=0), publish("a", seed=1)
    assert a.digest == renamed.digest
    assert a.digest != other.digest
    moved = a.model_copy(update={"input": a.input.model_copy(update={"mean": (0.5,)})})
    assert moved.digest != a.digest


@pytest.mark.parametrize("name", ["model.safetensors", "first_layer.safetensors", "history.json"])
def test_one_changed_byte_is_found(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BrokenCheckpoint, match=f"tiny@1: {name} is not the file"):
        checkpoint.load(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(BrokenCheckpoint, match=r"model\.safetensors: No such file"):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(schema_version=2), "schema_version 2, this Glyphscope reads 1"),
        (lambda m: m.update(colour="red"), "colour: Extra inputs"),
        (lambda m: m.pop("labels"), "labels: Field required"),
        (lambda m: m["network"]["layers"][0].update(kind="python"), "network.layers"),
        (lambda m: m["labels"].update(names=["a", "b"]), "10 outputs for 2 labels"),
        (lambda m: m["input"].update(height=32), "the network takes"),
        (lambda m: m["network"]["layers"][0].update(features=5), "does not fit its manifest"),
        (lambda m: m.update(files={}), "lists no model.safetensors"),
        (lambda m: m["files"].update({"../../etc/passwd": "0"}), "files"),
    ],
)
def test_a_manifest_that_is_not_understood_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    edit_manifest(folder, change)
    with pytest.raises(BrokenCheckpoint) as caught:
        checkpoint.load(folder)
    assert said in str(caught.value)


def test_a_manifest_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")
    with pytest.raises(BrokenCheckpoint, match="not JSON"):
        checkpoint.load(folder)


def test_weights_that_are_no_numbers_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    state = tensors.load_file(path)
    state["logits.bias"][0] = float("nan")
    path.write_bytes(tensors.save(state))
    edit_manifest(folder, lambda m: m["files"].update({path.name: sha256(path.read_bytes())}))
    with pytest.raises(BrokenCheckpoint, match=r"no numbers: logits\.bias"):
        checkpoint.load(folder)
