"""A run that is over: its history, what its log says of its end, and its saved weights."""

import json
import math
from pathlib import Path
from statistics import median

import torch

from glyphscope.networks import build
from glyphscope.preprocess import normalise
from training import data, experiment
from training.counted import counted
from training.doctor.figures import figures
from training.doctor.findings import Finding, found
from training.doctor.record import HeldOut, Record, Step
from training.doctor.stream import fingerprints
from training.doctor.watch import Patient
from training.fit import Trainer
from training.run import LAST, Run

MOVED_LITTLE = 0.05
"""Of the weights' size, over a whole training: at the usual 1/1000 a step it takes 50 steps."""

_IMAGES, _BATCH = 1000, 100


def examine(run: Run, root: Path) -> tuple[Record, list[Finding]]:
    """The record, and what only a run can tell. Validation images only; no test set."""
    job = experiment.assemble(run.recipe, root, torch.device("cpu"))
    record = _read(run, job)
    record.training_prints.update(fingerprints(job.train.images))
    record.validation.add(job.validation.images, job.validation.labels)
    record.validation.batches.append(job.validation.images[:_IMAGES])
    if not run.history():
        return record, []
    _probe(run, job, record)
    return record, _moved_little(run, job, record)


def _read(run: Run, job: Trainer) -> Record:
    classes = len(data.source(run.recipe.dataset).labels)
    record = Record(unit="epoch", classes=classes, loss_name="cross_entropy")
    for epoch in run.history():
        record.steps.append(Step(epoch.train_loss, epoch.learning_rate))
        n, loss = len(job.validation), epoch.validation_loss
        record.held_out.append(HeldOut(epoch.epoch, loss, epoch.validation_accuracy, n))
    if "became" in _outcome(run):
        rate = record.steps[-1].rate if record.steps else run.recipe.optimiser.learning_rate
        record.steps.append(Step(math.nan, rate))
    return record


def _outcome(run: Run) -> str:
    """What the log says last of how the training ended."""
    path = run.folder / "log.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    ended = [json.loads(line) for line in lines if '"event": "ended"' in line]
    return str(ended[-1].get("outcome", "")) if ended else ""


def _probe(run: Run, job: Trainer, record: Record) -> None:
    """Validation images through the last weights: which units answer, which sit at their ends?"""
    network = build(job.network_spec)
    network.load_state_dict(run.weights(LAST))
    network.eval()
    with Patient(network, []) as patient:
        for images in job.validation.images[:_IMAGES].split(_BATCH):
            network(normalise(images.float().div_(255), job.input))
    record.layers.update(patient.record.layers)


def _moved_little(run: Run, job: Trainer, record: Record) -> list[Finding]:
    """The weights hardly moved, and neither did the loss."""
    if figures(record).moved:
        return []
    before, now = build(job.network_spec, seed=run.recipe.seed).state_dict(), run.weights(LAST)
    weights = {name: value for name, value in before.items() if value.dim() >= 2}
    moved = median(float((now[n] - w).norm() / w.norm()) for n, w in weights.items())
    if moved > MOVED_LITTLE:
        return []
    rate = max(step.rate for step in record.steps)
    return [
        found(
            "learning-rate-low",
            f"In {counted(len(record.steps), 'epoch')} at a learning rate of at most {rate:g} the "
            f"weights moved by {moved:.1%} of their size, and the loss hardly at all.",
            moved=moved,
        )
    ]
