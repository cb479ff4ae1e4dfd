"""A recipe on the doctor's table: a short training of it, watched; nothing of it is kept.

The schedule runs from its beginning to its end within the trial, so that the highest learning rate
is tried too.
"""

from dataclasses import replace

import torch

from training.doctor.record import Record, Step
from training.doctor.stream import fingerprints
from training.doctor.watch import Patient
from training.finite import Diverged, NotFinite
from training.fit import Trainer
from training.observe import Observer
from training.session import Session

EPOCHS, STEPS = 3, 80
"""Of the trial; steps an epoch at most."""

_PICTURED = 1000


def examine(job: Trainer, observers: tuple[Observer, ...] = ()) -> Record:
    """Every image is compared across the splits; the test set is not touched."""
    session = Session.start(_short(job, observers))
    session.look_every = 1
    patient = Patient(session.network, [session.optimiser])
    _compare(job, patient.record)
    with patient:
        for observer in observers:
            observer.started(session)
        try:
            for number in range(1, EPOCHS + 1):
                session.epoch(number)
        except (Diverged, NotFinite):
            rate = float(session.optimiser.param_groups[0]["lr"])
            patient.record.steps.append(Step(float("nan"), rate))
        finally:
            for observer in observers:
                observer.ended(session)
    return patient.record


def _short(job: Trainer, observers: tuple[Observer, ...]) -> Trainer:
    recipe = job.recipe
    fit = recipe.fit.model_copy(update={"epochs": EPOCHS, "patience": 0, "compile": False})
    most = STEPS * job.batch_size
    draw = torch.Generator().manual_seed(recipe.seed)
    # Sorted, so that an order of the data that is part of the recipe stays as it is.
    picks = torch.randperm(len(job.train), generator=draw)[:most].sort().values
    return replace(
        job,
        recipe=recipe.model_copy(update={"fit": fit}),
        train=job.train.take(picks.to(job.device)),
        observers=observers,
    )


def _compare(job: Trainer, record: Record) -> None:
    record.training_prints.update(fingerprints(job.train.images))
    record.validation.add(job.validation.images, job.validation.labels)
    record.validation.batches.append(job.validation.images[:_PICTURED].cpu())
