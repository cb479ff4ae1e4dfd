from collections.abc import Iterator

import pytest
import torch

from glyphscope.catalogue import network_spec
from glyphscope.checkpoint import Checkpoint
from glyphscope.manifest import Manifest
from glyphscope.networks import build
from glyphscope.spec import InputSpec, LabelSet


@pytest.fixture(autouse=True)
def one_core() -> Iterator[None]:
    """Threads that wait for each other take minutes on a machine that has other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def checkpoint() -> Checkpoint:
    """A small network with seeded weights; channel 1 of its first ReLU can never answer."""
    network = build(network_spec("card-cnn", (1, 28, 28), 10, features=[6, 8], units=16), seed=4)
    with torch.no_grad():
        network.get_parameter("conv1.weight")[1] = 0
        network.get_parameter("conv1.bias")[1] = -1
    network.eval().requires_grad_(False)
    manifest = Manifest(
        name="tiny",
        version=1,
        created="2026-01-01T00:00:00+00:00",
        network=network.spec,
        input=InputSpec(mean=(0.13,), std=(0.31,)),
        labels=LabelSet(names=tuple("0123456789")),
    )
    return Checkpoint(manifest, network, torch.device("cpu"))
