"""The end of a run: calibrate on validation, then read the test set, once, and write it down."""

from dataclasses import dataclass
from pathlib import Path

from glyphscope.errors import InvalidRecipe
from glyphscope.manifest import Calibration, Metrics
from training import data, experiment, measure, plots
from training.fit import evaluate as logits_of
from training.run import Run


@dataclass(frozen=True)
class Evaluation:
    calibration: Calibration
    metrics: Metrics


def recorded(run: Run) -> Evaluation | None:
    if not (run.folder / "metrics.json").exists():
        return None
    found = run.read_json("metrics.json")
    return Evaluation(
        Calibration.model_validate(found["calibration"]), Metrics.model_validate(found["metrics"])
    )


def evaluate(run: Run, root: Path) -> Evaluation:
    """What was recorded, or else the figures of the best weights, now. The test set is never read
    a second time for the same run, so nothing can be tuned on it by repetition."""
    found = recorded(run)
    if found is not None:
        return found
    recipe = run.recipe
    train, validation = experiment.splits(recipe, root)
    spec = experiment.input_spec(recipe, train)
    network = experiment.trained(run, spec)
    logits = logits_of(network, validation, spec)
    calibration = measure.calibrate(logits, validation.labels)
    accuracy = float((logits.argmax(1) == validation.labels).double().mean())

    judged_on = recipe.test or recipe.dataset
    labels = data.source(recipe.dataset).labels
    if data.source(judged_on).labels != labels:
        raise InvalidRecipe(f"{judged_on} has other classes than {recipe.dataset}")
    test = data.load(judged_on, "test", root)
    metrics = measure.metrics(
        logits_of(network, test, spec), test.labels, labels, calibration, judged_on, accuracy
    )
    evaluation = Evaluation(calibration, metrics)
    _write(run, evaluation)
    return evaluation


def _write(run: Run, evaluation: Evaluation) -> None:
    plots.confusion(evaluation.metrics, run.folder / "confusion.png")
    run.write_json(
        "metrics.json",
        {
            "calibration": evaluation.calibration.model_dump(mode="json"),
            "metrics": evaluation.metrics.model_dump(mode="json"),
        },
    )
