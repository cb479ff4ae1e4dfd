"""A checkpoint folder: written once, verified whenever it is read.

    write(folder, manifest, network, files)  ->  manifest with the hashes of what was written
    load(folder, device)                     ->  Checkpoint(manifest, network): network AND input

Weights are safetensors: reading them runs nobody's code.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as tensors
from torch import Tensor, nn

from glyphscope import confusion, embedding, example_images, examples, snapshots, statistics
from glyphscope import manifest as m
from glyphscope.confusion import Confusions
from glyphscope.embedding import Embedding
from glyphscope.errors import BrokenCheckpoint, InvalidSpec
from glyphscope.example_images import ExampleImages
from glyphscope.examples import Examples
from glyphscope.folder import read_manifest, verify
from glyphscope.manifest import Manifest, sha256
from glyphscope.networks import Network, build, place
from glyphscope.snapshots import Snapshots
from glyphscope.statistics import Statistics


@dataclass(frozen=True)
class Checkpoint:
    """A network ready to answer (eval mode, on ``device``) with everything that belongs to it.

    ``examples`` to ``embedding`` tell of the test set. A checkpoint may have been published
    without: then they are empty, and ``embedding`` is None. ``prior``: the tensors that
    ``visualise.prior`` reads, of data that the library has none for.
    """

    manifest: Manifest
    network: Network
    device: torch.device
    examples: Examples = field(default_factory=lambda: Examples({}))
    images: ExampleImages = field(default_factory=ExampleImages)
    statistics: Statistics = field(default_factory=Statistics)
    confusions: Confusions = field(default_factory=Confusions)
    embedding: Embedding | None = None
    snapshots: Snapshots = field(default_factory=Snapshots)
    prior: Mapping[str, Tensor] = field(default_factory=dict)

    @cached_property
    def memory(self) -> dict[str, Any]:
        """What was worked out of this network once and is asked for again, by what it is."""
        return {}

    @property
    def labels(self) -> tuple[str, ...]:
        return self.manifest.labels.names


def write(
    folder: Path, manifest: Manifest, network: nn.Module, files: Mapping[str, bytes]
) -> Manifest:
    """Fill an empty folder; the manifest comes last, so a folder without one is unfinished."""
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    first = next(iter(state)).rpartition(".")[0]
    contents = {
        m.WEIGHTS: tensors.save(state),
        m.FIRST_LAYER: tensors.save(_under(state, first)),
        **files,
    }
    for name, data in contents.items():
        _write_file(folder / name, data)
    hashes = {name: sha256(data) for name, data in sorted(contents.items())}
    manifest = manifest.model_copy(update={"files": hashes})
    _write_file(folder / "manifest.json", manifest.to_json())
    return manifest


def load(folder: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Verify every file's hash, build the network, load its weights.

    Raises ``BrokenCheckpoint`` naming the file and what is wrong with it.
    """
    manifest = read_manifest(folder)
    weights = verify(folder, manifest)
    where = manifest.ref
    try:
        network = build(manifest.network)
        state = tensors.load(weights)
        network.load_state_dict(state)
    except (InvalidSpec, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise BrokenCheckpoint(
            f"{where}: {m.WEIGHTS} does not fit its manifest: {reason}"
        ) from None
    _check_shapes(manifest, network)
    bad = [key for key, value in state.items() if not torch.isfinite(value).all()]
    if bad:
        raise BrokenCheckpoint(f"{where}: {m.WEIGHTS} holds values that are no numbers: {bad[0]}")
    network.eval().requires_grad_(False)
    target = torch.device(device)
    found = Checkpoint(
        manifest,
        place(network, target),
        target,
        snapshots=snapshots.read(folder),
        prior=examples.read_tensors(folder / m.PRIOR),
    )
    return with_test_set(found, folder)


def with_test_set(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """The same, with what the files in ``folder`` tell of the test set."""
    return replace(
        checkpoint,
        examples=examples.read(folder),
        images=example_images.read(folder, checkpoint.manifest.input.shape),
        statistics=statistics.read(folder),
        confusions=confusion.read(folder),
        embedding=embedding.read(folder),
    )


def _check_shapes(manifest: Manifest, network: Network) -> None:
    if manifest.network.input_shape != manifest.input.shape:
        raise BrokenCheckpoint(
            f"{manifest.ref}: the network takes {manifest.network.input_shape}, "
            f"the input gives {manifest.input.shape}"
        )
    if network.output_shape != (len(manifest.labels),):
        raise BrokenCheckpoint(
            f"{manifest.ref}: {network.output_shape[0]} outputs for {len(manifest.labels)} labels"
        )


def _under(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = prefix + "."
    return {key.removeprefix(start): v for key, v in state.items() if key.startswith(start)}


def _write_file(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
