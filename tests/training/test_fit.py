import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from glyphscope.errors import Conflict, InvalidRecipe, NotFound
from glyphscope.networks import Network
from tests.conftest import require
from training import data, experiment, recipe, resume
from training.evaluate import evaluate
from training.fit import Diverged, Trainer
from training.fit import evaluate as logits_of
from training.observe import Observer, Step
from training.run import LAST, Epoch, Run
from training.session import Session

Start = Callable[..., Trainer]

CPU = torch.device("cpu")
CONSTANT = "schedule.name=constant"


def finish(job: Trainer) -> list[Epoch]:
    return list(job.epochs())


def go_on(job: Trainer, root: Path, *changes: str) -> Trainer:
    """As ``--resume`` does it, with other keys where they are given."""
    how = recipe.parse(_replaced(job.run.recipe.model_dump(mode="json"), changes))
    run = resume.unfinished(job.run.folder.parent, how)
    assert run.folder == job.run.folder
    return experiment.trainer(run, root, CPU)


def _replaced(values: dict[str, dict[str, object]], changes: tuple[str, ...]) -> dict[str, object]:
    for change in changes:
        table, key, value = change.replace("=", ".").split(".")
        values[table][key] = json.loads(value)
    return dict(values)


def assert_same_end(a: Run, b: Run) -> None:
    for name in ("model.safetensors", LAST):
        for key, value in a.weights(name).items():
            assert torch.equal(value, b.weights(name)[key]), (name, key)
    left, right = a.state(), b.state()
    assert left is not None
    assert right is not None
    for part in ("network", "average"):
        for key, value in left[part].items():
            assert torch.equal(value, right[part][key]), (part, key)
    assert [e.train_loss for e in a.history()] == [e.train_loss for e in b.history()]
    assert [e.epoch for e in a.history()] == [e.epoch for e in b.history()]


def test_a_tiny_network_learns_real_digits(start: Start, data_root: Path) -> None:
    job = start("fit.epochs=8")
    history = finish(job)
    assert history[-1].train_loss < 0.5 * history[0].train_loss
    found = evaluate(job.run, data_root)
    assert found.metrics.n == 200
    assert found.metrics.accuracy > 0.8  # chance is 0.1
    assert found.metrics.validation_accuracy == pytest.approx(
        max(e.validation_accuracy for e in history)
    )


CONVOLUTIONS = [
    "network={name='card-cnn', features=[4, 4], units=16, batch_norm=true}",
    "fit.precision=bfloat16",
]


@pytest.mark.parametrize(
    "changes",
    [
        ["fit.ema=0.9"],
        ["optimiser.name=sgd", CONSTANT],
        ["optimiser.name=adam", "schedule.name=cosine", "schedule.warmup=0.3"],
        ["optimiser.name=rmsprop", "schedule.name=linear", "fit.strangers=0.2"],
        ["optimiser.name=muon", "schedule.name=exponential", *CONVOLUTIONS],
        ["optimiser.name=muon", "fit.ema=0.9", "schedule.name=step", "schedule.milestones=[0.4]"],
    ],
    ids=lambda changes: " ".join(c.split("=")[1] for c in changes[:2]),
)
def test_a_resumed_run_ends_bit_equal_to_one_that_never_stopped(
    start: Start, data_root: Path, changes: list[str]
) -> None:
    whole = start("fit.epochs=4", *changes)
    finish(whole)
    stopped = start("fit.epochs=4", *changes)
    epochs = stopped.epochs()
    assert [next(epochs).epoch, next(epochs).epoch] == [1, 2]
    epochs.close()
    rest = finish(go_on(stopped, data_root))
    assert [e.epoch for e in rest] == [3, 4]
    assert_same_end(whole.run, stopped.run)


@pytest.mark.parametrize("done", [2, 3])
def test_a_kill_between_two_files_loses_nothing(start: Start, data_root: Path, done: int) -> None:
    """The state of the epoch is written, its line in the history is not."""
    whole = start("fit.epochs=3")
    finish(whole)
    killed = start("fit.epochs=3")
    epochs = killed.epochs()
    for _ in range(done):
        next(epochs)
    epochs.close()
    killed.run.record(killed.run.history()[:-1])
    rest = finish(go_on(killed, data_root))
    assert [e.epoch for e in rest] == list(range(done + 1, 4))
    assert_same_end(whole.run, killed.run)


def test_a_finished_run_of_constant_rate_can_be_made_longer(start: Start, data_root: Path) -> None:
    whole = start("fit.epochs=4", CONSTANT)
    finish(whole)
    short = start("fit.epochs=2", CONSTANT)
    finish(short)
    finish(go_on(short, data_root, "fit.epochs=4"))
    assert_same_end(whole.run, short.run)
    assert short.run.recipe.fit.epochs == 4


def test_a_resumed_run_keeps_the_precision_that_it_began_with(
    start: Start, data_root: Path
) -> None:
    """Whatever "auto" would choose where it goes on."""
    for kept in ("float32", "bfloat16"):
        job = start("fit.epochs=2", "fit.precision=auto")
        epochs = job.epochs()
        next(epochs)
        epochs.close()
        job.run.write_json("machine.json", job.run.machine() | {"precision": kept})
        assert Session.start(go_on(job, data_root)).precision == kept


def test_best_last_and_snapshots_are_kept(start: Start) -> None:
    # A constant, far too high learning rate makes the epochs go up and down.
    job = start("fit.epochs=5", "fit.snapshots=2", "optimiser.learning_rate=0.1", CONSTANT)
    history = finish(job)
    accuracies = [e.validation_accuracy for e in history]
    assert accuracies[-1] < max(accuracies)
    assert accuracy_of(job, job.run.weights()) == max(accuracies)
    assert accuracy_of(job, job.run.weights(LAST)) == accuracies[-1]
    snapshots = job.run.snapshots()
    assert list(snapshots) == [0, 2, 4]
    assert accuracy_of(job, snapshots[2]) == accuracies[1]
    fresh = Session.start(job).network.state_dict()
    assert all(torch.equal(snapshots[0][key], value) for key, value in fresh.items())


def accuracy_of(job: Trainer, weights: dict[str, torch.Tensor]) -> float:
    network: Network = Session.start(job).network
    network.load_state_dict(weights)
    right = logits_of(network, job.validation, job.input).argmax(1) == job.validation.labels
    return float(right.double().mean())


def test_a_run_without_progress_stops_early_and_stays_so(start: Start, data_root: Path) -> None:
    # So small a step changes no answer: the first epoch stays the best.
    job = start("fit.epochs=9", "fit.patience=2", "optimiser.learning_rate=1e-12", CONSTANT)
    assert [e.epoch for e in finish(job)] == [1, 2, 3]
    assert log(job.run)[-1]["outcome"] == "stopped early"
    with pytest.raises(NotFound, match="finished"):
        go_on(job, data_root)
    assert [e.epoch for e in finish(go_on(job, data_root, "fit.patience=3"))] == [4]


def log(run: Run) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]


def test_the_log_is_json_lines_of_all_that_happened(start: Start, data_root: Path) -> None:
    job = start("fit.epochs=2")
    epochs = job.epochs()
    next(epochs)
    epochs.close()
    finish(go_on(job, data_root))
    lines = log(job.run)
    assert [line["event"] for line in lines] == [
        "started", "epoch", "ended", "resumed", "epoch", "ended",
    ]  # fmt: skip
    assert [line.get("outcome") for line in lines if line["event"] == "ended"] == [
        "interrupted",
        "finished",
    ]
    assert lines[0]["precision"] == "float32"
    assert lines[4]["validation_loss"] == job.run.history()[1].validation_loss


def test_same_seed_same_weights_other_seed_others(start: Start) -> None:
    def weights(seed: int) -> torch.Tensor:
        job = start("fit.epochs=1", f"seed={seed}")
        finish(job)
        return job.run.weights()["logits.weight"]

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_the_deterministic_switch_holds_for_the_steps_only(start: Start) -> None:
    found = set()

    class Ask(Observer):
        def stepped(self, session: Session, step: Step) -> None:
            found.add(torch.are_deterministic_algorithms_enabled())

    finish(start("fit.epochs=1", "fit.deterministic=true", observers=[Ask()]))
    assert found == {True}
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_compiled_network_learns_the_same(start: Start) -> None:
    """Without dropout, whose draws a compiled network makes in another order."""
    plain, fast = (
        start("fit.epochs=1", "network.units=[16]", "network.dropout=0", f"fit.compile={how}")
        for how in ("false", "true")
    )
    finish(plain)
    finish(fast)
    for key, value in plain.run.weights().items():
        assert torch.allclose(fast.run.weights()[key], value, atol=1e-4), key


def test_a_run_that_diverges_says_where_it_began(start: Start) -> None:
    job = start("fit.epochs=3", "optimiser.name=sgd", "optimiser.learning_rate=1e30", CONSTANT)
    with pytest.raises(Diverged) as caught:
        finish(job)
    said = str(caught.value)
    assert "at step 2 of epoch 1, at learning rate 1e+30" in said or "at step 3" in said
    assert "The output of layer" in said
    assert "A lower optimiser.learning_rate (now 1e+30)" in said
    assert str(log(job.run)[-1]["outcome"]).startswith("failed: the loss became")
    assert job.run.history() == []


def test_steps_looked_at_in_heaps_find_the_same_origin(start: Start) -> None:
    """As on a GPU: by the time the loss is read the weights are lost, so the epoch runs again."""

    def said(every: int) -> str:
        job = start("optimiser.name=sgd", "optimiser.learning_rate=1e30", CONSTANT)
        session = Session.start(job)
        job.run.save_state(session.state([]))
        session.look_every = every
        with pytest.raises(Diverged) as caught:
            session.epoch(1)
        return str(caught.value)

    assert said(50) == said(1)


def test_a_full_disk_is_named_and_the_run_goes_on_later(start: Start, data_root: Path) -> None:
    whole = start("fit.epochs=2")
    finish(whole)
    job = start("fit.epochs=2")
    epochs = job.epochs()
    next(epochs)
    full = job.run.folder / "state.pt.part"
    full.symlink_to("/dev/full")  # every write says: no space left on device
    with pytest.raises(OSError, match="No space left on device") as caught:
        next(epochs)
    assert caught.value.filename == str(job.run.folder / "state.pt")
    assert not full.is_symlink()
    finish(go_on(job, data_root))
    assert_same_end(whole.run, job.run)


def test_a_lost_or_damaged_state_is_told(start: Start, data_root: Path) -> None:
    job = start("fit.epochs=2")
    epochs = job.epochs()
    next(epochs)
    epochs.close()
    state = job.run.folder / "state.pt"
    state.write_bytes(state.read_bytes()[:500])
    with pytest.raises(Conflict, match=r"state\.pt is damaged"):
        finish(go_on(job, data_root))
    state.unlink()
    with pytest.raises(Conflict, match=r"state\.pt is missing"):
        finish(go_on(job, data_root))


def test_the_test_set_is_read_once(start: Start, tmp_path: Path, data_root: Path) -> None:
    job = start("fit.epochs=1")
    finish(job)
    first = evaluate(job.run, data_root)
    # Without any data the recorded figures still answer, so nothing was read again.
    assert evaluate(job.run, tmp_path / "nowhere") == first


def test_validation_and_normalisation_never_see_the_test_set(start: Start, data_root: Path) -> None:
    how = start().recipe
    train, validation = experiment.splits(how, data_root)
    test = data.load("mnist", "test", data_root)
    seen = {bytes(i.numpy().tobytes()) for i in torch.cat([train.images, validation.images])}
    assert not any(bytes(i.numpy().tobytes()) in seen for i in test.images)
    spec = experiment.input_spec(how, train)
    pixels = train.images.double() / 255
    assert spec.mean[0] == pytest.approx(float(pixels.mean()), abs=1e-4)
    assert spec.std[0] == pytest.approx(float(pixels.std(correction=0)), abs=1e-4)


@pytest.mark.data
@pytest.mark.slow
def test_an_epoch_of_mnist_fast_is_enough_for_99_percent(tmp_path: Path) -> None:
    root = Path(os.environ.get("GLYPHSCOPE_DATA", "/nowhere"))
    if not (root / "MNIST").is_dir():
        require("data", "GLYPHSCOPE_DATA lacks MNIST")
    run = experiment.run_recipe(recipe.load("mnist-fast"), root, CPU, tmp_path)
    assert len(run.history()) == 1
    spec = experiment.input_spec(run.recipe, experiment.splits(run.recipe, root)[0])
    test = data.load("mnist", "test", root)
    logits = logits_of(experiment.trained(run, spec), test, spec)
    accuracy = float((logits.argmax(1) == test.labels).double().mean())
    # 99.08 % with a deviation of 0.07 over 5 seeds: this is four deviations below.
    assert accuracy > 0.988


def test_a_state_that_does_not_fit_is_refused(start: Start) -> None:
    job = start("fit.epochs=2")
    epochs = job.epochs()
    next(epochs)
    epochs.close()
    state = job.run.state()
    assert state
    del state["history"]  # as an older Glyphscope wrote it
    job.run.save_state(state)
    with pytest.raises(InvalidRecipe, match="cannot be resumed: it was written by another"):
        next(job.epochs())
