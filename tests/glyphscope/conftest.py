from collections.abc import Callable
from pathlib import Path

import pytest

from glyphscope import checkpoint
from glyphscope.catalogue import network_spec
from glyphscope.manifest import Manifest
from glyphscope.networks import build
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Store

Publish = Callable[..., Manifest]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def publish(store: Store) -> Publish:
    """Publish a small untrained network; every seed has other weights."""

    def go(name: str = "tiny", seed: int = 0, alias: str | None = "production") -> Manifest:
        network = build(network_spec("card-cnn", (1, 28, 28), 10, features=[4], units=8), seed=seed)
        draft = Manifest(
            name=name,
            version=1,
            created="2026-01-01T00:00:00+00:00",
            network=network.spec,
            input=InputSpec(mean=(0.1,), std=(0.3,)),
            labels=LabelSet(names=tuple("0123456789")),
        )

        def write(folder: Path, version: int) -> Manifest:
            manifest = draft.model_copy(update={"version": version})
            return checkpoint.write(folder, manifest, network, {"history.json": b"[]"})

        return store.publish(name, write, alias)

    return go
