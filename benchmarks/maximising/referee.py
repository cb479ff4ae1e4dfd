"""A second network, of another architecture and trained by itself: what does it see in a picture?

It is trained once, some minutes on a core, and kept in the cache folder.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from glyphscope.features import FeatureTap, features
from glyphscope.networks import Network
from glyphscope.picture import Pixels
from glyphscope.preprocess import to_tensor
from glyphscope.spec import InputSpec
from training import data, experiment
from training.data import Split
from training.recipe import Recipe
from training.run import Run

NEIGHBOURS = 10_000
"""Training images among which the nearest real one is looked for."""

CHECKED = 1000
"""Test images whose own nearest neighbours say how near is near."""


@dataclass(frozen=True)
class Referee:
    network: Network
    input: InputSpec
    train: Split
    test: Split

    def logits(self, pixels: Pixels | Tensor) -> Tensor:
        with torch.inference_mode():
            return torch.cat([self.network(part) for part in self._parts(pixels)])

    def features(self, pixels: Pixels | Tensor) -> Tensor:
        """(N, D) of length 1: what its last layer is given."""
        parts = [features(self.network, part) for part in self._parts(pixels)]
        return normalize(torch.cat(parts), dim=1)

    def nearest(self, pixels: Pixels | Tensor) -> Tensor:
        """(N,) cosine to the nearest training image."""
        return (self.features(pixels) @ self._known.T).amax(1)

    @cached_property
    def accuracy(self) -> float:
        """On the test images."""
        return float((self._test.argmax(1) == self.test.labels).float().mean())

    @cached_property
    def probability(self) -> float:
        """Mean probability of the right class, on the test images."""
        right = self._test.softmax(1).gather(1, self.test.labels[:, None].long())
        return float(right.mean())

    @cached_property
    def realism(self) -> float:
        """Median cosine of test images to their nearest training image."""
        return float(self.nearest(self.test.images[:CHECKED]).median())

    @cached_property
    def _test(self) -> Tensor:
        return self.logits(self.test.images)

    @cached_property
    def _known(self) -> Tensor:
        return self.features(self.train.images[:NEIGHBOURS])

    def _parts(self, pixels: Pixels | Tensor) -> list[Tensor]:
        values = pixels.numpy() if isinstance(pixels, Tensor) else pixels
        return [to_tensor(values[i : i + 500], self.input) for i in range(0, len(values), 500)]

    @property
    def architecture(self) -> str:
        layers = FeatureTap.of(self.network).layers
        return f"{self.network.spec.name}, features of {layers[0] if layers else 'the input'}"


def referee(dataset: str, root: Path, cache: Path) -> Referee:
    recipe = Recipe.model_validate(
        {
            "name": f"referee-{dataset}",
            "dataset": dataset,
            "seed": 101,
            "split": {"validation": 2000},
            "network": {"name": "cnn", "features": [24, 48, 96], "units": 128},
            "optimiser": {"name": "adamw", "learning_rate": 0.004, "weight_decay": 0.05},
            "schedule": {"name": "one-cycle"},
            "fit": {"epochs": 1 if dataset == "mnist" else 3, "batch_size": 128},
        }
    )
    train, _ = experiment.splits(recipe, root)
    spec = experiment.input_spec(recipe, train)
    run = _trained(recipe, root, cache / "referees")
    return Referee(experiment.trained(run, spec), spec, train, data.load(dataset, "test", root))


def _trained(recipe: Recipe, root: Path, runs: Path) -> Run:
    for folder in sorted(runs.glob(f"{recipe.name}-*")):
        found = Run.open(folder)
        if found.recipe == recipe and len(found.history()) == recipe.fit.epochs:
            return found
    print(f"training {recipe.name}, which later runs take from {runs}", flush=True)
    return experiment.run_recipe(recipe, root, torch.device("cpu"), runs)
