"""A store with one small network, the app around it, and a worker that draws at once."""

import asyncio
import io
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from fastapi import FastAPI
from PIL import Image

from glyphscope import checkpoint
from glyphscope.catalogue import network_spec
from glyphscope.manifest import Calibration, Manifest, Metrics, Training
from glyphscope.networks import build
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Store
from glyphscope.visualise import UnitImage
from service.app import create_app
from service.maximise.cache import Cache
from service.maximise.jobs import Jobs
from service.maximise.loaded import Loaded
from service.maximise.tasks import Tasks
from service.runtime import Runtime
from service.settings import Settings
from tests.service import testset
from tests.service.running import Start, WaitFor, running

DIGITS = tuple("0123456789")

Publish = Callable[..., Manifest]

# Nothing here measures how fast anything is: loaded machines start PyTorch slowly.
PATIENCE = 240.0


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[None]]:
    """As ``wait_for``, for what has to be awaited."""

    async def until(condition: Callable[[], Awaitable[Any]]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not await condition():
            assert time.monotonic() < deadline, "waited too long"
            await asyncio.sleep(0.01)

    return until


@pytest.fixture(scope="session")
def alive() -> Callable[[int], bool]:
    """Whether a process runs."""

    def alive(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        # A container's first process may leave the dead unburied.
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"

    return alive


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, publish_to: Callable[[Store], Callable[..., Any]]
) -> Path:
    """With a store that holds mnist@1, for real processes."""
    folder = tmp_path_factory.mktemp("server")
    publish_to(Store(folder / "store"))()
    return folder


@pytest.fixture(scope="module")
def start(folder: Path, wait_for: WaitFor) -> Start:
    """``with start("--workers", "2", state="name") as server:`` serves ``folder``."""
    return lambda *options, state, **settings: running(folder, wait_for, options, state, **settings)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Empty."""
    return Store(tmp_path / "store")


@pytest.fixture
def publish(store: Store, publish_to: Callable[[Store], Publish]) -> Publish:
    return publish_to(store)


@pytest.fixture(scope="session")
def publish_to() -> Callable[[Store], Publish]:
    """Publishes a small network drawn from ``seed``, with ``files`` or what it makes of a few
    test images."""

    def publish_to(store: Store) -> Publish:
        def publish(
            name: str = "mnist",
            *,
            seed: int = 0,
            alias: str | None = "production",
            files: dict[str, bytes] | None = None,
        ) -> Any:
            write = partial(_write, name=name, seed=seed, files=files)
            return store.publish(name, lambda folder, n: write(folder, version=n), alias)

        return publish

    return publish_to


def _write(
    folder: Path, *, name: str, version: int, seed: int, files: dict[str, bytes] | None
) -> Manifest:
    spec = network_spec("card-cnn", (1, 28, 28), 10, features=(4, 6), units=16, dropout=0.25)
    manifest = Manifest(
        name=name,
        version=version,
        created="2025-06-01T12:00:00Z",
        network=spec,
        input=InputSpec(mean=(0.13,), std=(0.31,)),
        labels=LabelSet(names=DIGITS),
        metrics=Metrics(
            split="test", n=10000, accuracy=0.5, ece=0.1, per_class={}, confusion=((1,),),
            validation_accuracy=0.5,
        ),
        calibration=Calibration(temperature=1.5, energy_threshold=0.0),
        training=Training(
            recipe={}, seed=0, dataset="MNIST", train_images=1, validation_images=1, split_seed=0,
            epochs=0, device="cpu", seconds=0.0, torch_version=torch.__version__,
        ),
    )  # fmt: skip
    if files is None:
        files = testset.files(spec, seed, manifest.input)
    return checkpoint.write(folder, manifest, build(spec, seed=seed), files)


@pytest.fixture
def manifest(publish: Publish) -> Manifest:
    """Of mnist@1."""
    return publish()


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    return Settings(
        store=store.root,
        state=tmp_path / "state",
        device="cpu",
        max_body_bytes=1_000_000,
        # Starting a process takes longer than all the work of a test; one test does.
        analysis_processes=0,
    )


@pytest.fixture
async def app(settings: Settings, publish: Publish) -> AsyncIterator[FastAPI]:
    """Serving mnist@1."""
    publish()
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def runtime(app: FastAPI) -> Runtime:
    found: Runtime = app.state.runtime
    return found


def fake_maximise(
    checkpoint: Any, request: Any, *, progress: Any, frame: Any, cancelled: Any
) -> Any:
    """What ``visualise.maximise`` promises, without the work: unit n is all n (mod 256), and while
    it is drawn as bright as steps are done."""
    shape = checkpoint.manifest.input.shape
    for step in range(1, request.steps + 1):
        frame(step, request.units, np.full((len(request.units), *shape), step % 256, np.uint8))
        progress(step, request.steps)
    return [
        UnitImage(unit, unit + 0.5, None, False, np.full(shape, unit % 256, np.uint8))
        for unit in request.units
    ]


@pytest.fixture
def draw(runtime: Runtime, store: Store) -> Callable[..., int]:
    """Takes what waits in the queue, as a worker would; returns how many jobs there were."""

    def draw(maximise: Any = fake_maximise) -> int:
        queue, taken = runtime.maximisations.queue, 0
        jobs = runtime.maximisations.jobs
        tasks = Tasks(
            jobs,
            Loaded(store, "cpu"),
            queue.enqueue,
            Cache(jobs, runtime.settings.max_cache_bytes),
            maximise=maximise,
        )
        queue.take_with(tasks.run)
        while task := queue.huey.dequeue():
            queue.huey.execute(task)
            taken += 1
        return taken

    return draw


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "state")


@pytest.fixture
def digit() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """28x28, a bar of ink with soft edges, as the data sets have them."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[5:23, 12:16] = 255
    pixels[5:23, 11] = 90
    return pixels


@pytest.fixture
def digit_png(digit: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(digit).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine's user reaches a test."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GLYPHSCOPE_{name.upper()}", raising=False)
