"""What is to be judged: the best weights of a run, or a published checkpoint, on one device.

of_run(run, root, device) | of_checkpoint(store, ref, device)  ->  Subject
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from glyphscope import checkpoint
from glyphscope import manifest as m
from glyphscope.errors import BrokenCheckpoint, InvalidRecipe
from glyphscope.manifest import Calibration, Manifest
from glyphscope.networks import Network, place
from glyphscope.spec import InputSpec
from glyphscope.store import Store
from training import data, experiment, measure
from training.counted import counted
from training.data import Split
from training.fit import evaluate as logits_of
from training.recipe import Recipe, parse
from training.run import Epoch, Run


@dataclass(frozen=True)
class Subject:
    """``dataset``: the one whose test split judges it. ``facts``: lines for the report."""

    name: str
    network: Network
    device: torch.device
    input: InputSpec
    labels: tuple[str, ...]
    calibration: Calibration
    validation_accuracy: float
    dataset: str
    recipe: dict[str, Any]
    history: tuple[Epoch, ...]
    facts: dict[str, str]

    def split(self, which: str, root: Path) -> Split:
        """The test split, or the validation images that were held out of its training."""
        if which == "validation":
            return experiment.splits(self._recipe(), root)[1].to(self.device)
        if data.source(self.dataset).labels != self.labels:
            raise InvalidRecipe(f"{self.dataset} has other classes than {self.name}")
        return data.load(self.dataset, "test", root).to(self.device)

    def on(self, dataset: str) -> "Subject":
        """The same, judged by the test split of another data set with the same classes."""
        return replace(self, dataset=dataset)

    def _recipe(self) -> Recipe:
        if not self.recipe:
            raise InvalidRecipe(f"{self.name} has no recipe, so its validation images are unknown")
        return parse(self.recipe)


def of_run(run: Run, root: Path, device: torch.device) -> Subject:
    """Its temperature and threshold are chosen here, on validation images."""
    recipe = run.recipe
    train, validation = experiment.splits(recipe, root)
    spec = experiment.input_spec(recipe, train)
    network = place(experiment.trained(run, spec), device)
    held = validation.to(device)
    logits = logits_of(network, held, spec)
    history = tuple(run.history())
    return Subject(
        name=run.folder.name,
        network=network,
        device=device,
        input=spec,
        labels=tuple(data.source(recipe.dataset).labels),
        calibration=measure.calibrate(logits.cpu(), validation.labels),
        validation_accuracy=float((logits.argmax(1) == held.labels).double().mean()),
        dataset=recipe.test or recipe.dataset,
        recipe=recipe.model_dump(mode="json"),
        history=history,
        facts={
            **_images(recipe.dataset, len(train), len(validation)),
            **_input(spec),
            **_network(network),
            **_making(len(history), sum(e.seconds for e in history), run.device),
        },
    )


def of_checkpoint(store: Store, name: str, device: torch.device) -> Subject:
    """``name``: as the store resolves it, "mnist" or "mnist@2". All that was chosen stays so."""
    ref = store.resolve(name)
    folder = store.path(ref)
    found = checkpoint.load(folder, device)
    manifest, training = found.manifest, found.manifest.training
    recipe = training.recipe if training else {}
    return Subject(
        name=str(ref),
        network=found.network,
        device=device,
        input=manifest.input,
        labels=found.labels,
        calibration=manifest.calibration,
        validation_accuracy=manifest.metrics.validation_accuracy if manifest.metrics else 0.0,
        dataset=str(recipe.get("test") or recipe.get("dataset") or ""),
        recipe=recipe,
        history=_history(folder),
        facts={**_made(manifest), **_input(manifest.input), **_network(found.network)},
    )


def _made(manifest: Manifest) -> dict[str, str]:
    training = manifest.training
    if training is None:
        return {"Published": manifest.created}
    return {
        **_images(training.dataset, training.train_images, training.validation_images),
        **_making(training.epochs, training.seconds, training.device),
        "Published": manifest.created[:10],
    }


def _images(dataset: str, train: int, validation: int) -> dict[str, str]:
    found = {
        "Trained on": f"{dataset}: {train:,} images",
        "Choices made on": f"{validation:,} validation images held out of training",
    }
    known = data.SOURCES.get(dataset)
    return {**found, "Note": known.note} if known and known.note else found


def _input(spec: InputSpec) -> dict[str, str]:
    colour = "grey" if spec.channels == 1 else "RGB"
    return {
        "Input": f"{spec.height}×{spec.width} {colour}, prepared as {spec.preprocessing}",
        "Mean and deviation": f"{_numbers(spec.mean)} and {_numbers(spec.std)}, of pixels in 0..1",
    }


def _numbers(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.4f}" for value in values)


def _network(network: Network) -> dict[str, str]:
    parameters = sum(p.numel() for p in network.parameters())
    return {"Network": f"{network.spec.name}, {parameters:,} parameters"}


def _making(epochs: int, seconds: float, device: str) -> dict[str, str]:
    done = counted(epochs, "epoch")
    return {"Training": f"{done}, {seconds:,.0f} s of training loop on {device}"}


def _history(folder: Path) -> tuple[Epoch, ...]:
    path = folder / m.HISTORY
    if not path.exists():
        return ()
    try:
        return TypeAdapter(tuple[Epoch, ...]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise BrokenCheckpoint(f"{path} is not understood: {error.errors()[0]['msg']}") from None
