"""The card's network (32 and 64 filters, 1024 units), trained for a moment and published."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch.nn import functional

from glyphscope import checkpoint, preprocess
from glyphscope.catalogue import network_spec
from glyphscope.manifest import Manifest
from glyphscope.networks import Network, build
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Store
from training import onnx_export

IMAGES = Path(__file__).parents[2] / "tests" / "data" / "mnist-sample.npz"
SPEC = network_spec("card-cnn", (1, 28, 28), 10, features=(32, 64), units=1024, padding=0)
"""4.8 million multiplications an image; with padding it would be 13.9."""
INPUT = InputSpec(mean=(0.1307,), std=(0.3081,))


@dataclass(frozen=True)
class Card:
    """``labels``: what the network says of ``images`` (N, 28, 28), each well apart from the rest.

    ``weights``: its parameters as npz, in the order of the layers. ``maps``: the ONNX file with
    every layer's values as outputs.
    """

    store: Path
    onnx: Path
    weights: Path
    maps: Path
    images: Any
    labels: list[str]


def make(folder: Path) -> Card:
    data = np.load(IMAGES)
    network = _trained(data["train_images"], data["train_labels"])
    model = onnx_export.export(network)
    store = Store(folder / "store")
    published = store.publish("card", lambda to, n: _write(to, n, network, model), "production")
    home = store.root / "card" / str(published.version)
    maps = folder / "maps.onnx"
    maps.write_bytes(_with_every_output(model))
    weights = folder / "weights.npz"
    np.savez(weights, **{name: value.numpy() for name, value in network.state_dict().items()})
    images = data["test_images"]
    logits = network(preprocess.to_tensor(images[:, None], INPUT)).detach()
    best = logits.topk(2).values
    sure = (best[:, 0] - best[:, 1] > 1).numpy()
    labels = [str(label) for label in logits.argmax(1).numpy()[sure]]
    return Card(store.root, home / "model.onnx", weights, maps, images[sure], labels)


def _trained(images: Any, labels: Any) -> Network:
    network = build(SPEC, seed=0)
    x, y = preprocess.to_tensor(images[:, None], INPUT), torch.from_numpy(labels).long()
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for start in list(range(0, len(x), 60)) * 4:
        loss = functional.cross_entropy(network(x[start : start + 60]), y[start : start + 60])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def _write(folder: Path, version: int, network: Network, model: bytes) -> Manifest:
    manifest = Manifest(
        name="card", version=version, created="2026-01-01T00:00:00Z", network=SPEC, input=INPUT,
        labels=LabelSet(names=tuple("0123456789")),
    )  # fmt: skip
    return checkpoint.write(folder, manifest, network, {"model.onnx": model})


def _with_every_output(data: bytes) -> bytes:
    model = onnx.load_from_string(data)
    known = {each.name for each in model.graph.output}
    for node in model.graph.node:
        for name in node.output:
            if name not in known and node.op_type not in ("Flatten", "Reshape"):
                model.graph.output.append(onnx.ValueInfoProto(name=name))
    return bytes(model.SerializeToString())
