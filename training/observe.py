"""Watching a training from outside the loop: subclass ``Observer``, override what you need.

    Trainer(..., observers=[TensorBoard(folder), Mine()])
    started -> stepped, stepped, ... -> epoch_ended -> stepped, ... -> ended

An observer may read everything of the session: network, optimiser and gradients are those of the
step that was just taken. It must not change them, nor draw from PyTorch's global generator.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from training.run import Epoch

if TYPE_CHECKING:
    from training.session import Session


@dataclass(frozen=True)
class Step:
    """One optimiser step. ``step`` counts from 1 in its epoch. ``loss`` and ``accuracy``, those of
    its batch, are 0-dim and detached, on the device: reading one waits for the device, so read
    them rarely."""

    epoch: int
    step: int
    steps: int
    loss: Tensor
    learning_rate: float
    accuracy: Tensor

    @property
    def overall(self) -> int:
        """Steps taken since the run began, this one included."""
        return (self.epoch - 1) * self.steps + self.step


class Observer:
    """Every method does nothing: override the ones you need."""

    def started(self, session: "Session") -> None:
        """Before the first step, also of a resumed run."""

    def stepped(self, session: "Session", step: Step) -> None:
        """After each optimiser step; gradients are still in place."""

    def epoch_ended(self, session: "Session", record: Epoch) -> None:
        """After the epoch's record, weights and state are on disk."""

    def ended(self, session: "Session") -> None:
        """However the training ended: ``session.outcome`` says it."""
