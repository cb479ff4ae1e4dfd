from pathlib import Path

import pytest
import torch

from training import data, experiment, recipe
from training.evaluate import evaluate
from training.fit import Diverged, Trainer
from training.fit import evaluate as logits_of
from training.run import Epoch, Run

TINY = [
    "split.validation=100",
    "network.name=mlp",
    "network.units=[64]",
    "network.dropout=0.2",
    "fit.batch_size=32",
    "fit.precision=float32",
    "augment={shift=1.0}",
]
CPU = torch.device("cpu")


def start(runs: Path, root: Path, *changes: str) -> Trainer:
    run = Run.create(runs, recipe.load("mnist", [*TINY, *changes]))
    return experiment.trainer(run, root, CPU, lambda epoch, step, steps: None)


def finish(job: Trainer) -> list[Epoch]:
    return list(job.epochs())


def test_a_tiny_network_learns_real_digits(tmp_path: Path, data_root: Path) -> None:
    job = start(tmp_path, data_root, "fit.epochs=8")
    history = finish(job)
    assert history[-1].train_loss < 0.5 * history[0].train_loss
    found = evaluate(job.run, data_root)
    assert found.metrics.n == 200
    assert found.metrics.accuracy > 0.8  # chance is 0.1
    assert found.metrics.validation_accuracy == pytest.approx(
        max(e.validation_accuracy for e in history)
    )


def test_a_resumed_run_ends_bit_equal_to_one_that_never_stopped(
    tmp_path: Path, data_root: Path
) -> None:
    whole = start(tmp_path / "a", data_root, "fit.epochs=4", "fit.ema=0.9")
    finish(whole)
    stopped = start(tmp_path / "b", data_root, "fit.epochs=4", "fit.ema=0.9")
    epochs = stopped.epochs()
    assert [next(epochs).epoch, next(epochs).epoch] == [1, 2]
    found = Run.unfinished(tmp_path / "b", stopped.recipe)
    assert found.folder == stopped.run.folder
    rest = finish(experiment.trainer(found, data_root, CPU, lambda epoch, step, steps: None))
    assert [e.epoch for e in rest] == [3, 4]
    expected, resumed = whole.run.state(), found.state()
    assert expected is not None
    assert resumed is not None
    for key, value in expected["network"].items():
        assert torch.equal(value, resumed["network"][key]), key
    for key, value in whole.run.weights().items():
        assert torch.equal(value, found.weights()[key]), key


def test_the_best_epoch_is_kept_and_not_the_last(tmp_path: Path, data_root: Path) -> None:
    # A constant, far too high learning rate makes the epochs go up and down.
    job = start(
        tmp_path, data_root, "fit.epochs=6", "optimiser.learning_rate=0.1", "schedule.name=constant"
    )
    history = finish(job)
    network = experiment.trained(job.run, job.input)
    accuracy = logits_of(network, job.validation, job.input).argmax(1) == job.validation.labels
    assert float(accuracy.float().mean()) == max(e.validation_accuracy for e in history)


def test_same_seed_same_weights_other_seed_others(tmp_path: Path, data_root: Path) -> None:
    def weights(folder: str, seed: int) -> torch.Tensor:
        job = start(tmp_path / folder, data_root, "fit.epochs=1", f"seed={seed}")
        finish(job)
        return job.run.weights()["logits.weight"]

    assert torch.equal(weights("a", 1), weights("b", 1))
    assert not torch.equal(weights("a", 1), weights("c", 2))


def test_a_run_that_diverges_says_so(tmp_path: Path, data_root: Path) -> None:
    job = start(
        tmp_path, data_root, "fit.epochs=3", "optimiser.name=sgd", "optimiser.learning_rate=1e12"
    )
    with pytest.raises(Diverged, match=r"optimiser\.learning_rate"):
        finish(job)


def test_the_test_set_is_read_once(tmp_path: Path, data_root: Path) -> None:
    job = start(tmp_path, data_root, "fit.epochs=1")
    finish(job)
    first = evaluate(job.run, data_root)
    # Without any data the recorded figures still answer, so nothing was read again.
    assert evaluate(job.run, tmp_path / "nowhere") == first


def test_validation_and_normalisation_never_see_the_test_set(data_root: Path) -> None:
    how = recipe.load("mnist", TINY)
    train, validation = experiment.splits(how, data_root)
    test = data.load("mnist", "test", data_root)
    seen = {bytes(i.numpy().tobytes()) for i in torch.cat([train.images, validation.images])}
    assert not any(bytes(i.numpy().tobytes()) in seen for i in test.images)
    spec = experiment.input_spec(how, train)
    pixels = train.images.double() / 255
    assert spec.mean[0] == pytest.approx(float(pixels.mean()), abs=1e-4)
    assert spec.std[0] == pytest.approx(float(pixels.std(correction=0)), abs=1e-4)
