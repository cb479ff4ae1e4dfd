"""What a training would be, without doing it: sizes, steps, and how long it may take."""

import statistics
import time
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from glyphscope.networks import LayerInfo
from training import device as devices
from training.finite import Tally
from training.fit import Trainer
from training.order import batches
from training.session import Session, evaluate

WARM_UP_STEPS, TIMED_STEPS = 2, 5


@dataclass(frozen=True)
class Plan:
    """``seconds_a_step`` is the median of a few steps of a network that is thrown away, and
    ``seconds`` what the whole training takes at that speed, validation included."""

    layers: tuple[LayerInfo, ...]
    parameters: int
    train_images: int
    validation_images: int
    device: str
    precision: str
    batch_size: int
    steps: int
    epochs: int
    seconds_a_step: float
    seconds: float


def plan(job: Trainer) -> Plan:
    """Builds the network, feeds it real batches, and writes nothing."""
    session = Session.start(job)
    a_step = statistics.median(_timed_steps(session))
    a_look = _timed_validation(session)
    epochs = job.recipe.fit.epochs
    return Plan(
        layers=session.network.layers,
        parameters=sum(p.numel() for p in session.network.parameters()),
        train_images=len(job.train),
        validation_images=len(job.validation),
        device=devices.describe(job.device),
        precision=session.precision,
        batch_size=session.batch_size,
        steps=session.steps,
        epochs=epochs,
        seconds_a_step=a_step,
        seconds=epochs * (session.steps * a_step + a_look),
    )


def _timed_steps(session: Session) -> list[float]:
    job, generator = session.job, torch.Generator().manual_seed(0)
    order = batches(len(job.train), job.recipe.order, session.batch_size, generator)
    session.network.train()
    tally, seconds = Tally(every=1), []
    for index in islice(order, WARM_UP_STEPS + TIMED_STEPS):
        began = time.perf_counter()
        loss, _ = session.step(index, generator, tally)
        float(loss)  # waits for the device
        seconds.append(time.perf_counter() - began)
    return seconds[WARM_UP_STEPS:] or seconds


def _timed_validation(session: Session) -> float:
    part = session.job.validation.take(torch.arange(min(500, len(session.job.validation))))
    began = time.perf_counter()
    logits: Tensor = evaluate(session.candidate, part, session.job.input)
    float(logits[0, 0])
    return (time.perf_counter() - began) * len(session.job.validation) / len(part)
