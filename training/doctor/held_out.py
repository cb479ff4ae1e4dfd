"""A validation set that the user hands over: compared with the training images, and followed."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glyphscope.errors import InvalidInput
from training.doctor.record import HeldOut, Record

Batches = Iterable[Any]
"""Of (images, labels), as the network is given them: a DataLoader, or a list of batches."""

FOLLOWED = 1000
"""Images whose loss is followed: a standard error of 1.5 points of accuracy at most."""

_POINTS = 40


class Follower:
    """Evaluates every ``interval`` steps; past 40 points it keeps every second and doubles it."""

    def __init__(self, network: nn.Module, record: Record, validation: Batches) -> None:
        self._network, self._record = network, record
        self._interval = 10
        self._batches: list[tuple[Tensor, Tensor]] = []
        seen = 0
        for images, labels in read(validation, "validation"):
            record.validation.add(images, labels)
            if seen < FOLLOWED:
                self._batches.append((images, labels))
                record.validation.batches.append(images)
                seen += len(labels)

    def after(self, step: int) -> None:
        if step % self._interval or self._record.loss_name not in ("cross_entropy", "nll_loss"):
            return
        self._record.hold_out(self._evaluate(step))
        if len(self._record.held_out) > _POINTS:
            self._interval *= 2
            kept = [h for h in self._record.held_out if h.step % self._interval == 0]
            self._record.held_out[:] = kept

    def _evaluate(self, step: int) -> HeldOut:
        modes = [(module, module.training) for module in self._network.modules()]
        self._network.eval()
        try:
            with torch.no_grad():
                answers = [(self._answer(x), y) for x, y in self._batches]
        finally:
            for module, training in modes:
                module.training = training
        logits, labels = (torch.cat(parts) for parts in zip(*answers, strict=True))
        loss = getattr(functional, self._record.loss_name)(logits.float(), labels)
        right = float((logits.argmax(1) == labels).float().mean())
        return HeldOut(step, float(loss), right, len(labels))

    def _answer(self, images: Tensor) -> Tensor:
        device = next((p.device for p in self._network.parameters()), torch.device("cpu"))
        answer: Tensor = self._network(images.to(device))
        return answer.cpu()


def read(batches: Batches, name: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Raises ``InvalidInput`` for what cannot be read twice or gives no (images, labels)."""
    if isinstance(batches, Iterator):
        raise InvalidInput(
            f"{name} is an iterator, which the doctor would use up; hand the loader itself over"
        )
    with _chance_untouched():
        for batch in batches:
            if not (isinstance(batch, (tuple, list)) and len(batch) == 2):
                raise InvalidInput(f"{name} must give pairs (images, labels), not {type(batch)}")
            yield torch.as_tensor(batch[0]), torch.as_tensor(batch[1])


@contextmanager
def _chance_untouched() -> Iterator[None]:
    """A shuffling loader draws random numbers; the training must not notice that it was read."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
