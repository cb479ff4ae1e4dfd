"""A small network whose test set is surveyed, and its atlas, made once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import torch as tensors

from glyphscope import checkpoint
from glyphscope.catalogue import network_spec
from glyphscope.checkpoint import Checkpoint
from glyphscope.manifest import SNAPSHOTS, Calibration, Manifest
from glyphscope.networks import build
from glyphscope.snapshots import pack
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Store
from training import test_files
from training.atlas.gather import Atlas, chosen_layers, gather
from training.data import Split


@dataclass(frozen=True)
class Case:
    checkpoint: Checkpoint
    images: np.ndarray
    atlas: Atlas
    store: Store


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory, sample: dict[str, np.ndarray]) -> Case:
    """200 real digits; channel 1 of the first layer is dead. A label that would end a script."""
    network = build(network_spec("card-cnn", (1, 28, 28), 10, features=[4, 6], units=8)).eval()
    network.requires_grad_(False)
    network.get_parameter("conv1.weight")[1] = 0
    network.get_parameter("conv1.bias")[1] = -1
    images = sample["test_images"][:200, None]
    labels = torch.from_numpy(sample["test_labels"][:200].astype(np.int64))
    draft = Manifest(
        name="tiny",
        version=1,
        created="2026-01-01T00:00:00+00:00",
        network=network.spec,
        input=InputSpec(mean=(0.13,), std=(0.31,)),
        labels=LabelSet(names=("</script>", *"123456789")),
    )
    split = Split(torch.from_numpy(images), labels)
    files = test_files.collect(network, draft.input, split, Calibration())
    store = Store(tmp_path_factory.mktemp("store"))

    epochs = {n: build(network.spec, seed=n + 1).state_dict() for n in (0, 1, 2, 5)}
    files |= {"history.json": b"[]", SNAPSHOTS: tensors.save(pack(epochs))}

    def write(folder: Path, version: int) -> Manifest:
        return checkpoint.write(folder, draft, network, files)

    store.publish("tiny", write)
    found = checkpoint.load(store.path(store.resolve("tiny")))
    atlas = gather(found, chosen_layers(found), steps=2, stages=3)
    return Case(found, images, atlas, store)
