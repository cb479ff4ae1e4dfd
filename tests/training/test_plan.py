from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from training import experiment, recipe
from training.fit import Trainer
from training.plan import plan
from training.run import NOWHERE

Start = Callable[..., Trainer]


def test_the_figures_are_those_of_the_training(start: Start, data_root: Path) -> None:
    how = start("fit.epochs=3", "network.units=[20, 10]").recipe
    found = plan(experiment.assemble(how, data_root, torch.device("cpu")))
    # Weights and biases of 784-20-10-10.
    assert found.parameters == 784 * 20 + 20 + 20 * 10 + 10 + 10 * 10 + 10
    assert found.parameters == sum(layer.parameters for layer in found.layers)
    assert (found.train_images, found.validation_images) == (500, 100)
    assert (found.epochs, found.steps, found.batch_size) == (3, 500 // 32, 32)
    assert found.precision == "float32"
    assert found.seconds > 3 * 15 * found.seconds_a_step > 0


def test_a_batch_larger_than_the_data(start: Start, data_root: Path) -> None:
    how = start("fit.batch_size=4096").recipe
    found = plan(experiment.assemble(how, data_root, torch.device("cpu")))
    assert (found.batch_size, found.steps) == (500, 1)


def test_a_plan_can_write_nowhere(data_root: Path) -> None:
    how = recipe.load("mnist", ["split.validation=100", "network.name=linear"])
    job = experiment.assemble(how, data_root, torch.device("cpu"))
    assert job.run is NOWHERE
    with pytest.raises(OSError, match="Not a directory"):
        next(job.epochs())
