"""A recipe and a data root -> a trainer that is ready to go, or a trained network to be judged."""

from pathlib import Path

import torch

from glyphscope.catalogue import network_spec
from glyphscope.networks import Network, build
from glyphscope.spec import InputSpec, NetworkSpec
from training import data
from training.data import Split
from training.fit import OnStep, Trainer
from training.recipe import Recipe
from training.run import Run


def check(recipe: Recipe, root: Path) -> None:
    """Fail before a folder is made: unknown data, missing files, a network that does not fit."""
    train, _ = splits(recipe, root)
    build(network(recipe, input_spec(recipe, train)))


def trainer(run: Run, root: Path, device: torch.device, on_step: OnStep) -> Trainer:
    """Everything a run trains on; the test set is not touched here."""
    recipe = run.recipe
    train, validation = splits(recipe, root)
    spec = input_spec(recipe, train)
    return Trainer(
        recipe=recipe,
        network_spec=network(recipe, spec),
        input=spec,
        train=train.to(device),
        validation=validation.to(device),
        device=device,
        run=run,
        on_step=on_step,
    )


def splits(recipe: Recipe, root: Path) -> tuple[Split, Split]:
    """(training, validation), the same ones for the same recipe."""
    whole = data.load(recipe.dataset, "train", root)
    return data.hold_out(whole, recipe.split.validation, recipe.split.seed)


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
