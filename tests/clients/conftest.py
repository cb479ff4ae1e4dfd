"""A real service with one small untrained network, and a client of it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clients import Client
from glyphscope import checkpoint
from glyphscope.catalogue import network_spec
from glyphscope.manifest import Calibration, Manifest, Metrics, Training
from glyphscope.networks import build
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Store
from tests.conftest import Serve

Digits = NDArray[np.uint8]

SAMPLE = Path(__file__).parents[1] / "data/mnist-sample.npz"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    spec = network_spec("card-cnn", (1, 28, 28), 10, features=(4, 6), units=12, dropout=0.25)

    def write(folder: Path, version: int) -> Manifest:
        manifest = Manifest(
            name="mnist",
            version=version,
            created="2026-01-01T00:00:00Z",
            network=spec,
            input=InputSpec(mean=(0.13,), std=(0.31,)),
            labels=LabelSet(names=tuple("0123456789")),
            metrics=Metrics(
                split="test", n=10000, accuracy=0.125, ece=0.1, per_class={}, confusion=(),
                validation_accuracy=0.125,
            ),
            calibration=Calibration(temperature=1.5, energy_threshold=-100.0),
            training=Training(
                recipe={}, seed=0, dataset="MNIST", train_images=1, validation_images=1,
                split_seed=0, epochs=0, device="cpu", seconds=0.0, torch_version="none",
            ),
        )  # fmt: skip
        return checkpoint.write(folder, manifest, build(spec, seed=version), {})

    store.publish("mnist", write)
    store.publish("mnist", write, alias="candidate")
    return store


@pytest.fixture(scope="session")
def url(serve: Serve, store: Store) -> Iterator[str]:
    with serve(store.root) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture(scope="session")
def digits() -> Digits:
    """Real MNIST test images, (4, 28, 28)."""
    images: Digits = np.load(SAMPLE)["test_images"][::60]
    return images
