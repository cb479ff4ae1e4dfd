import json
import shutil
from pathlib import Path

import pytest
import torch

from glyphscope.errors import InvalidRecipe
from training import data, experiment, measure
from training import subject as subjects
from training.evaluate import evaluate, judge, recorded, recorded_in, write
from training.fit import evaluate as logits_of
from training.run import Run

CPU = torch.device("cpu")


@pytest.fixture
def run(tmp_path: Path, trained_run: Path) -> Run:
    return Run.open(shutil.copytree(trained_run, tmp_path / trained_run.name))


def test_what_is_recorded_agrees_with_counting_on_the_test_set(run: Run, data_root: Path) -> None:
    found = evaluate(run, data_root)
    train, _ = experiment.splits(run.recipe, data_root)
    spec = experiment.input_spec(run.recipe, train)
    test = data.load("mnist", "test", data_root)
    logits = logits_of(experiment.trained(run, spec), test, spec)
    right = int((logits.argmax(1) == test.labels).sum())
    assert found.metrics.accuracy == pytest.approx(right / 200)
    record = found.record
    assert record is not None
    assert record.interval == pytest.approx(measure.wilson(right, 200))
    assert sum(c.n for c in record.classes) == 200
    assert sum(c.n * c.recall for c in record.classes) == pytest.approx(right, abs=1e-3)
    assert record.certainty.ece_after == pytest.approx(found.metrics.ece, abs=1e-6)
    assert len(record.robustness) == 6
    assert record.robustness[0].accuracy[0] == found.metrics.accuracy  # nothing changed, all 200
    assert {s.name for s in record.rejection.strangers} == {"blank", "noise", "shuffled"}
    assert record.pen is None
    assert [line.partition(":")[0] for line in record.left_out] == [
        "Rejection of Fashion-MNIST",
        "Rejection of CIFAR-10",
        "Pen strokes",
    ]


def test_the_test_set_is_read_once_and_its_record_reads_back(
    run: Run, data_root: Path, tmp_path: Path
) -> None:
    assert recorded(run) is None
    first = evaluate(run, data_root)
    # Without any data the record still answers, so nothing was read again.
    assert evaluate(run, tmp_path / "nowhere") == first
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert set(metrics) == {"calibration", "metrics"}
    assert (run.folder / "confusion.png").exists()


def test_a_run_judged_before_there_were_records_keeps_its_figures(
    run: Run, data_root: Path, tmp_path: Path
) -> None:
    first = evaluate(run, data_root)
    (run.folder / "evaluation.json").unlink()
    again = evaluate(run, tmp_path / "nowhere")
    assert (again.metrics, again.calibration, again.record) == (
        first.metrics,
        first.calibration,
        None,
    )


def test_the_same_weights_are_judged_the_same_twice(run: Run, data_root: Path) -> None:
    subject = subjects.of_run(run, data_root, CPU)
    first, second = (judge(subject, data_root, quick=True) for _ in range(2))
    assert first.model_copy(update={"created": ""}) == second.model_copy(update={"created": ""})


def test_a_look_at_validation_images_leaves_the_test_set_alone(run: Run, data_root: Path) -> None:
    subject = subjects.of_run(run, data_root, CPU)
    record = judge(subject, data_root, split="validation", quick=True)
    assert record.metrics.n == 100
    assert record.metrics.split == "mnist, validation"
    assert record.metrics.accuracy == pytest.approx(record.metrics.validation_accuracy)
    assert write(record, run.folder).name == "validation.json"
    assert recorded(run) is None


def test_a_test_set_with_other_classes_is_refused(run: Run, data_root: Path) -> None:
    subject = subjects.of_run(run, data_root, CPU).on("emnist-bymerge")
    with pytest.raises(InvalidRecipe, match="emnist-bymerge has other classes"):
        judge(subject, data_root)


def test_a_record_that_is_not_understood_is_named(run: Run, data_root: Path) -> None:
    evaluate(run, data_root)
    path = run.folder / "evaluation.json"
    path.write_text(path.read_text().replace('"temperature"', '"heat"'))
    with pytest.raises(InvalidRecipe, match=r"evaluation\.json: calibration\.heat"):
        recorded_in(run.folder)
