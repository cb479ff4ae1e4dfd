"""The end of a run: calibrate on validation, then read the test set, once, and write it down.

    metrics.json      calibration and metrics: what publishing needs
    evaluation.json   everything that was found, see ``record``
    report.html       the same for people, see ``report``

Of a look at validation images, which may be repeated, only validation.json and validation.html.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor

from glyphscope.errors import DataMissing
from glyphscope.manifest import Calibration, Metrics
from glyphscope.predict import probabilities
from training import measure, mistakes, pen, plots, rejection, robustness
from training import subject as subjects
from training.data import Split
from training.fit import evaluate as logits_of
from training.record import Certainty, Record, parse_record
from training.run import Run
from training.subject import Subject

CPU = torch.device("cpu")

FILES = {"test": "evaluation.json", "validation": "validation.json"}

Say = Callable[[str], None]
"""Told what is being done now."""


@dataclass(frozen=True)
class Evaluation:
    """``record`` is None where a run was judged before there were records."""

    calibration: Calibration
    metrics: Metrics
    record: Record | None = None


def silent(_: str) -> None:
    """A ``Say`` that says nothing."""


def recorded(run: Run) -> Evaluation | None:
    """What was found when the test set of this run was read; None where it was not yet."""
    if not (run.folder / "metrics.json").exists():
        return None
    found = run.read_json("metrics.json")
    return Evaluation(
        Calibration.model_validate(found["calibration"]),
        Metrics.model_validate(found["metrics"]),
        recorded_in(run.folder),
    )


def recorded_in(folder: Path) -> Record | None:
    path = folder / FILES["test"]
    return parse_record(path.read_bytes(), path) if path.exists() else None


def evaluate(
    run: Run,
    root: Path,
    *,
    quick: bool = True,
    device: torch.device = CPU,
    say: Say = silent,
) -> Evaluation:
    """What was recorded, or else the figures of the best weights, now. The test set is never read
    a second time for the same run, so nothing can be tuned on it by repetition.

    ``quick`` takes fewer images for robustness, rejection and pen strokes, never for the metrics.
    """
    found = recorded(run)
    if found is not None:
        return found
    subject = subjects.of_run(run, root, device)
    record = judge(subject, root, quick=quick, say=say)
    write(record, run.folder)
    plots.confusion(record.metrics, run.folder / "confusion.png")
    run.write_json(
        "metrics.json",
        {
            "calibration": record.calibration.model_dump(mode="json"),
            "metrics": record.metrics.model_dump(mode="json"),
        },
    )
    return Evaluation(record.calibration, record.metrics, record)


def write(record: Record, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILES[record.split]
    part = path.with_name(path.name + ".part")
    part.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)
    return path


def judge(
    subject: Subject,
    root: Path,
    *,
    split: str = "test",
    quick: bool = False,
    say: Say = silent,
) -> Record:
    """Read the split once and find everything out that the report tells."""
    images = subject.split(split, root)
    say(f"{len(images):,} {split} images")
    logits, labels = logits_of(subject.network, images, subject.input).cpu(), images.labels.cpu()
    names, calibration = subject.labels, subject.calibration
    name = subject.dataset if split == "test" else f"{subject.recipe['dataset']}, {split}"
    metrics = measure.metrics(logits, labels, names, calibration, name, subject.validation_accuracy)
    counts = torch.tensor(metrics.confusion)
    outcome = mistakes.Outcome(images, labels, probabilities(logits, calibration), names)
    rejected, strangers_left_out = _rejection(subject, images, root, quick, say)
    drawn, pen_left_out = _pen(subject, root, quick, say)
    return Record(
        subject=subject.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        split=split,
        quick=quick,
        metrics=metrics,
        calibration=calibration,
        interval=measure.wilson(int(counts.diagonal().sum()), metrics.n),
        certainty=_certainty(logits, labels, calibration),
        classes=measure.class_figures(counts, names),
        pairs=mistakes.pairs(outcome, counts),
        hardest=mistakes.hardest(outcome),
        robustness=_robustness(subject, images, quick, say),
        rejection=rejected,
        pen=drawn,
        left_out=(*strangers_left_out, *pen_left_out),
        history=subject.history,
        recipe=subject.recipe,
        facts=subject.facts,
    )


def _certainty(logits: Tensor, labels: Tensor, calibration: Calibration) -> Certainty:
    right = logits.argmax(1) == labels
    raw = probabilities(logits, Calibration()).amax(1)
    scaled = probabilities(logits, calibration).amax(1)
    return Certainty(
        temperature=calibration.temperature,
        ece_before=measure.expected_calibration_error(raw, right),
        ece_after=measure.expected_calibration_error(scaled, right),
        loss_before=measure.negative_log_likelihood(logits, labels),
        loss_after=measure.negative_log_likelihood(logits, labels, calibration.temperature),
        before=measure.reliability(raw, right),
        after=measure.reliability(scaled, right),
    )


def _robustness(
    subject: Subject, images: Split, quick: bool, say: Say
) -> tuple[robustness.Curve, ...]:
    sample = robustness.QUICK_SAMPLE if quick else robustness.SAMPLE
    found = []
    for curve in robustness.curves(subject.network, subject.input, images, sample):
        say(f"robustness: {curve.title.lower()}")
        found.append(curve)
    return tuple(found)


def _rejection(
    subject: Subject, images: Split, root: Path, quick: bool, say: Say
) -> tuple[rejection.Rejection, list[str]]:
    say("what is none of its classes")
    sample = rejection.QUICK_SAMPLE if quick else rejection.SAMPLE
    against, left_out = rejection.strangers(images, subject.input, subject.dataset, root, sample)
    limit = subject.calibration.energy_threshold
    found = rejection.judge(subject.network, subject.input, images, against, limit, sample)
    return found, left_out


def _pen(subject: Subject, root: Path, quick: bool, say: Say) -> tuple[pen.Pen | None, list[str]]:
    if subject.input.preprocessing not in robustness.HANDWRITING:
        return None, []
    try:
        characters = pen.classes(pen.read(root), subject.labels)
    except DataMissing as error:
        return None, [f"Pen strokes: {error}"]
    if quick:
        characters = characters[:: max(1, len(characters) // pen.QUICK_SAMPLE)]
    if not any(character.held_out for _, character in characters):
        return None, ["Pen strokes: none of its classes is a digit or a letter"]
    say(f"{len(characters):,} characters drawn with a pen")
    return pen.judge(
        subject.network,
        subject.input,
        subject.labels,
        subject.calibration,
        characters,
        subject.device,
    ), []
