"""``glyphscope-train atlas`` as it is called."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from glyphscope import checkpoint
from glyphscope.checkpoint import Checkpoint
from glyphscope.manifest import Manifest, Training
from glyphscope.store import Store
from tests.training.atlas.conftest import Case
from tests.training.conftest import Call


@pytest.fixture
def call(call: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.delenv("GLYPHSCOPE_DATA")
    return partial(call, "atlas")


def test_a_page_of_some_layers(call: Call, case: Case, tmp_path: Path) -> None:
    code, out, err = call(
        "tiny", "--store", str(case.store.root), "--layers", "act2", "--steps", "1", "--out", "sub"
    )
    assert code == 0, err
    assert "written: sub/tiny-1.html, 6 units of 1 layer," in out
    text = (tmp_path / "sub/tiny-1.html").read_text("utf-8")
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert [layer["name"] for layer in data["layers"]] == ["act2", "logits"]
    assert data["made"] == {"steps": 1, "preset": "default", "seed": 0}


def older(found: Checkpoint, folder: Path) -> Store:
    """The same network as it was published before versions carried their test images."""
    store = Store(folder)
    training = Training(
        recipe={"dataset": "mnist"}, seed=0, dataset="mnist", train_images=1, validation_images=1,
        split_seed=0, epochs=1, device="cpu", seconds=1, torch_version="2",
    )  # fmt: skip
    manifest = found.manifest.model_copy(update={"training": training, "name": "old"})

    def write(folder: Path, version: int) -> Manifest:
        return checkpoint.write(folder, manifest, found.network, {"history.json": b"[]"})

    store.publish("old", write)
    return store


def test_an_older_version_is_surveyed_first_or_says_what_is_missing(
    call: Call, case: Case, tmp_path: Path, data_root: Path, sample: dict[str, np.ndarray]
) -> None:
    store = older(case.checkpoint, tmp_path / "old store")
    options = ["old", "--store", str(store.root), "--steps", "1", "--layers", "logits"]
    code, _, err = call(*options, "--data", str(data_root), "--out", "old.html")
    assert code == 0, err
    text = (tmp_path / "old.html").read_text("utf-8")
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert len(data["map"]) == len(sample["test_images"])


def test_what_is_not_there_is_named(call: Call, case: Case) -> None:
    store = ["--store", str(case.store.root)]
    code, _, err = call("tiny", "--layers", "x", *store)
    assert (code, "unknown layer 'x'" in err) == (2, True), err
    code, _, err = call("nobody", *store)
    assert (code, "unknown model 'nobody'" in err) == (2, True), err
