"""Every shipped recipe builds its network and takes a step, on noise of the right shape."""

from pathlib import Path

import pytest
import torch

from glyphscope.spec import InputSpec
from training import data, experiment, recipe
from training.data import Split
from training.fit import Trainer
from training.run import Run

N = 8
CPU = torch.device("cpu")


def shape(dataset: str) -> tuple[int, int, int]:
    return (3, 32, 32) if dataset.startswith(("cifar", "svhn")) else (1, 28, 28)


def noise(dataset: str, channels: int, height: int, width: int) -> Split:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (N, channels, height, width), generator=generator)
    classes = len(data.source(dataset).labels)
    return Split(images.byte(), torch.randint(0, classes, (N,), generator=generator))


@pytest.mark.parametrize("name", recipe.shipped())
def test_it_takes_a_step_and_comes_out_finite(name: str, tmp_path: Path) -> None:
    how = recipe.load(name, ["fit.epochs=1", f"fit.batch_size={N}", "fit.precision=float32"])
    c, h, w = shape(how.dataset)
    split = noise(how.dataset, c, h, w)
    spec = InputSpec(channels=c, height=h, width=w, mean=(0.5,) * c, std=(0.3,) * c)
    job = Trainer(
        recipe=how,
        network_spec=experiment.network(how, spec),
        input=spec,
        train=split,
        validation=split,
        device=CPU,
        run=Run.create(tmp_path, how),
    )
    [record] = job.epochs()
    assert 0 < record.train_loss < 20
    assert all(torch.isfinite(value).all() for value in job.run.weights().values())


@pytest.mark.parametrize("name", recipe.shipped())
def test_only_what_keeps_its_class_is_mirrored(name: str) -> None:
    how = recipe.load(name)
    assert not how.augment.flip or data.source(how.dataset).mirrors


@pytest.mark.parametrize("name", recipe.shipped())
def test_a_comment_says_what_it_is_for(name: str) -> None:
    first = (recipe.SHIPPED / f"{name}.toml").read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(first) > 20


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
@pytest.mark.parametrize("split", ["balanced", "subset"])
def test_regularised_differs_from_its_twin_in_regularisation_alone(split: str, kind: str) -> None:
    plain = recipe.load(f"emnist-{split}-{kind}")
    other = recipe.load(f"emnist-{split}-{kind}-regularised")
    same = {"dataset", "seed", "split", "schedule", "augment", "order", "fit"}
    assert plain.model_dump(include=same) == other.model_dump(include=same)
    assert plain.optimiser.model_copy(update={"weight_decay": 1e-5}) == other.optimiser
    turned = {
        knob
        for knob in {**plain.network.knobs, **other.network.knobs}
        if plain.network.knobs.get(knob) != other.network.knobs.get(knob)
    }
    assert turned <= {"batch_norm", "dropout", "dropout_conv"}
