"""A process that starts answers without PyTorch, and brings it afterwards."""

import asyncio
import io
import logging
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glyphscope.errors import BrokenCheckpoint
from glyphscope.folder import read_manifest
from glyphscope.manifest import sha256
from glyphscope.store import Ref, Store
from service.inference import pytorch
from service.inference.model import open_model
from service.versions.registry import Registry

Until = Callable[[Callable[[], Awaitable[Any]]], Awaitable[None]]

SHIPPED = Path(__file__).parents[3] / "checkpoints"

PIXELS = np.random.default_rng(1).integers(0, 256, (5, 1, 28, 28), np.uint8)

SERVES = """
import asyncio, sys
from pathlib import Path
import httpx
from service.processes.serving import application
from service.settings import Settings

async def main(store, state, image):
    app = application(Settings(store=store, state=state))
    async with app.router.lifespan_context(app), httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://here"
    ) as client:
        async def post(path):
            headers = {"Content-Type": "image/png"}
            return (await client.post(path, content=image, headers=headers)).json()
        assert (await client.get("/health/ready")).status_code == 200
        print((await post("/v1/models/mnist/classify"))["predictions"][0]["label"])
        assert (await client.get("/v1/models")).status_code == 200
        print("torch" in sys.modules)
        print(len((await post("/v1/models/mnist/activations"))["layers"]) > 1)
        print("torch" in sys.modules)

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]).read_bytes()))
"""


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if PyTorch was not here yet."""
    monkeypatch.setattr(pytorch, "here", lambda: False)


@pytest.fixture
def copied(tmp_path: Path) -> Store:
    shutil.copytree(SHIPPED / "mnist" / "1", tmp_path / "store" / "mnist" / "1")
    store = Store(tmp_path / "store")
    store.set_alias("mnist", "production", 1)
    return store


def replace(store: Store, name: str, data: bytes) -> None:
    """One of the version's files, as if it had been published so."""
    folder = store.path(Ref("mnist", 1))
    (folder / name).write_bytes(data)
    published = read_manifest(folder)
    changed = published.model_copy(update={"files": published.files | {name: sha256(data)}})
    (folder / "manifest.json").write_bytes(changed.to_json())


def test_a_process_that_classifies_does_not_import_it(tmp_path: Path, sample_png: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SERVES, str(SHIPPED), str(tmp_path), str(sample_png)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["7", "False", "True", "True"]


@pytest.fixture
def sample_png(tmp_path: Path) -> Path:
    sample = np.load(Path(__file__).parents[2] / "data" / "mnist-sample.npz")
    seven = sample["test_images"][list(sample["test_labels"]).index(7)]
    out = io.BytesIO()
    Image.fromarray(seven.squeeze()).save(out, "PNG")
    path = tmp_path / "seven.png"
    path.write_bytes(out.getvalue())
    return path


@pytest.mark.usefixtures("early")
def test_a_version_is_opened_when_somebody_looks_inside() -> None:
    folder = SHIPPED / "mnist" / "2"
    model = open_model(read_manifest(folder), folder)
    assert (model.runtime, model.checkpoint) == ("onnxruntime", None)
    answers = model.forward(PIXELS)
    assert model.opened() is model.opened()
    assert model.opened().manifest == model.manifest
    np.testing.assert_array_equal(model.forward(PIXELS), answers)


@pytest.mark.usefixtures("early")
async def test_what_answers_otherwise_than_its_weights_goes_on_with_them(
    copied: Store, caplog: pytest.LogCaptureFixture
) -> None:
    replace(copied, "model.onnx", (SHIPPED / "fashion-mnist" / "1" / "model.onnx").read_bytes())
    registry = Registry(copied, "cpu")
    [before] = await registry.load_production()
    assert before.runtime == "onnxruntime"
    with caplog.at_level(logging.WARNING, "glyphscope.service"):
        await registry.loader.confirm()
    assert "differ by" in caplog.text
    after = await registry.get("mnist")
    assert after.runtime == "torch"
    assert not np.allclose(after.forward(PIXELS), before.forward(PIXELS), atol=0.1)
    await registry.loader.close()


@pytest.mark.usefixtures("early")
async def test_a_version_whose_weights_are_broken_is_refused_once_that_is_seen(
    copied: Store,
) -> None:
    replace(copied, "model.safetensors", b"no tensors")
    registry = Registry(copied, "cpu")
    assert len(await registry.load_production()) == 1
    await registry.loader.confirm()
    assert "does not fit its manifest" in registry.refused()["mnist@1"]
    with pytest.raises(BrokenCheckpoint, match="does not fit"):
        await registry.get("mnist")
    await registry.loader.close()


@pytest.mark.usefixtures("early")
async def test_whoever_looks_inside_a_broken_version_is_told(copied: Store) -> None:
    replace(copied, "model.safetensors", b"no tensors")
    registry = Registry(copied, "cpu")
    with pytest.raises(BrokenCheckpoint, match="does not fit"):
        await registry.checkpoint("mnist")
    await registry.loader.close()


@pytest.mark.usefixtures("early")
async def test_confirming_keeps_what_is_right(copied: Store) -> None:
    registry = Registry(copied, "cpu")
    [before] = await registry.load_production()
    await registry.loader.confirm()
    assert await registry.get("mnist") is before
    assert before.checkpoint is None
    assert registry.refused() == {}
    await registry.loader.close()


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("python", [shutil.which("false"), "/no/such/python"])
async def test_what_cannot_be_compared_serves_on(
    copied: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    registry = Registry(copied, "cpu")
    [before] = await registry.load_production()
    with caplog.at_level(logging.WARNING, "glyphscope.service"):
        await registry.loader.confirm()
    assert re.search("compares model.onnx|is not compared", caplog.text)
    assert await registry.get("mnist") is before
    await registry.loader.close()


@pytest.mark.usefixtures("early")
async def test_what_is_loaded_is_compared_without_being_asked(copied: Store, until: Until) -> None:
    replace(copied, "model.onnx", (SHIPPED / "fashion-mnist" / "1" / "model.onnx").read_bytes())
    registry = Registry(copied, "cpu")
    await registry.load_production()

    async def mended() -> bool:
        return (await registry.get("mnist")).runtime == "torch"

    await until(mended)
    assert registry.refused() == {}
    await registry.loader.close()


@pytest.mark.usefixtures("early")
async def test_the_process_beside_ends_with_whoever_started_it(
    copied: Store, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    started: list[asyncio.subprocess.Process] = []
    create = asyncio.create_subprocess_exec

    async def seen(*command: str, **how: Any) -> asyncio.subprocess.Process:
        started.append(await create(*command, **how))
        return started[0]

    async def there() -> bool:
        return bool(started)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", seen)
    registry = Registry(copied, "cpu")
    await registry.load_production()
    await until(there)
    await registry.loader.close()
    assert started[0].returncode == -signal.SIGKILL
