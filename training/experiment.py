"""A recipe and a data root -> a trainer that is ready to go, or a trained network to be judged."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from glyphscope.catalogue import network_spec
from glyphscope.networks import Network, build
from glyphscope.spec import InputSpec, NetworkSpec
from training import augment, data, order, tensorboard
from training.data import Split
from training.fit import OnStep, Trainer
from training.observe import Observer
from training.recipe import Recipe
from training.run import NOWHERE, Run


def check(recipe: Recipe, root: Path) -> None:
    """Fail before a folder is made: unknown data, missing files, a network that does not fit."""
    assemble(recipe, root, torch.device("cpu"))


def quiet(epoch: int, step: int, steps: int) -> None:
    """An ``on_step`` that says nothing."""


def run_recipe(
    recipe: Recipe,
    root: Path,
    device: torch.device,
    runs: Path,
    *,
    observers: Sequence[Observer] = (),
    on_step: OnStep = quiet,
    test: bool = False,
) -> Run:
    """Train to the end in a new folder of ``runs``; with ``test``, read the test set once too."""
    job = assemble(recipe, root, device)
    run = Run.create(runs, recipe)
    for _ in attach(job, run, on_step, observers).epochs():
        pass
    if test:
        from training.evaluate import evaluate  # it builds on this module

        evaluate(run, root)
    return run


def trainer(
    run: Run,
    root: Path,
    device: torch.device,
    on_step: OnStep = quiet,
    observers: Sequence[Observer] = (),
) -> Trainer:
    """Of a run whose folder is there, new or to be resumed."""
    return attach(assemble(run.recipe, root, device), run, on_step, observers)


def assemble(recipe: Recipe, root: Path, device: torch.device) -> Trainer:
    """Everything a run trains on, checked, and no folder yet. The test set is not touched."""
    if recipe.fit.tensorboard:
        tensorboard.load()
    augment.check(recipe.augment, recipe.dataset)
    train, validation = splits(recipe, root)
    spec = input_spec(recipe, train)
    layers = network(recipe, spec)
    build(layers)
    return Trainer(
        recipe=recipe,
        network_spec=layers,
        input=spec,
        train=order.arrange(train, recipe.order).to(device),
        validation=validation.to(device),
        device=device,
        run=NOWHERE,
    )


def attach(
    job: Trainer, run: Run, on_step: OnStep = quiet, observers: Sequence[Observer] = ()
) -> Trainer:
    """The same training, written to a run's folder and watched."""
    if job.recipe.fit.tensorboard:
        observers = [*observers, tensorboard.TensorBoard(run.folder / "tensorboard")]
    return replace(job, run=run, on_step=on_step, observers=observers)


def splits(recipe: Recipe, root: Path) -> tuple[Split, Split]:
    """(training, validation), the same ones for the same recipe."""
    whole, how = data.load(recipe.dataset, "train", root), recipe.split
    train, validation = data.hold_out(whole, how.validation, how.seed)
    if how.train is not None and how.train < len(train):
        _, train = data.hold_out(train, how.train, how.seed)
    return train, validation


def input_spec(recipe: Recipe, train: Split) -> InputSpec:
    """Size as the images', mean and standard deviation of the training images' pixels."""
    channels, height, width = train.images.shape[1:]
    pixels = train.images.transpose(0, 1).reshape(channels, -1)
    # By counting bytes: exact, and without a float copy of the whole set.
    counts = torch.stack([torch.bincount(p, minlength=256) for p in pixels]).double()
    values = torch.arange(256, dtype=torch.float64) / 255
    share = counts / counts.sum(1, keepdim=True)
    mean = share @ values
    std = (share @ values**2 - mean**2).sqrt()
    return InputSpec.model_validate(
        {
            "channels": channels,
            "height": height,
            "width": width,
            "preprocessing": data.source(recipe.dataset).preprocessing,
            "mean": [round(m, 4) for m in mean.tolist()],
            "std": [round(s, 4) for s in std.tolist()],
        }
    )


def network(recipe: Recipe, spec: InputSpec) -> NetworkSpec:
    classes = len(data.source(recipe.dataset).labels)
    return network_spec(recipe.network.name, spec.shape, classes, **recipe.network.knobs)


def trained(run: Run, spec: InputSpec) -> Network:
    """The best weights of a run, in eval mode on the CPU."""
    found = build(network(run.recipe, spec))
    found.load_state_dict(run.weights())
    return found.eval().requires_grad_(False)
