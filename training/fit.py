"""The training loop: epochs one after the other, each on disk before it is told.

The whole split is one tensor on the device, so no loader stands between.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from glyphscope.spec import InputSpec, NetworkSpec
from training import device as devices
from training.data import Split
from training.finite import Diverged
from training.observe import Observer
from training.recipe import Recipe
from training.resume import finished
from training.run import LAST, Epoch, Run
from training.session import Session, evaluate

__all__ = ["Diverged", "OnStep", "Trainer", "evaluate"]

OnStep = Callable[[int, int, int], None]
"""(epoch, step, steps an epoch), called after every batch."""


@dataclass
class Trainer:
    """What a run needs beside its recipe. ``train`` and ``validation`` lie on ``device``."""

    recipe: Recipe
    network_spec: NetworkSpec
    input: InputSpec
    train: Split
    validation: Split
    device: torch.device
    run: Run
    on_step: OnStep = field(default=lambda epoch, step, steps: None)
    observers: Sequence[Observer] = ()

    @property
    def batch_size(self) -> int:
        return min(self.recipe.fit.batch_size, len(self.train))

    @property
    def steps(self) -> int:
        """An epoch's; images that fill no batch sit it out."""
        return len(self.train) // self.batch_size

    def epochs(self) -> Generator[Epoch, None, None]:
        """Train, a record an epoch; best weights and the state to resume from are on disk then.

        Raises ``Diverged`` and ``OSError``; the epochs before are kept and can be resumed.
        """
        devices.keep_memory(self.device)
        session = Session.start(self)
        history = self._begin(session)
        try:
            for observer in self.observers:
                observer.started(session)
            while not finished(self.recipe, history):
                record = session.epoch(session.done + 1)
                history.append(record)
                self._keep(session, history)
                for observer in self.observers:
                    observer.epoch_ended(session, record)
                yield record
            stopped = len(history) < self.recipe.fit.epochs
            session.outcome = "stopped early" if stopped else "finished"
        except BaseException as error:
            session.outcome = _reason(error)
            raise
        finally:
            with suppress(OSError):  # a full disk has been told of already
                self.run.log("ended", outcome=session.outcome, epochs=len(history))
            for observer in self.observers:
                observer.ended(session)

    def _begin(self, session: Session) -> list[Epoch]:
        state = self.run.state()
        history = session.restore(state) if state else []
        machine = self._machine(session)
        self.run.write_json("machine.json", machine)
        if not state:
            # Also tells a folder that cannot be written to before any work is done.
            self.run.save_state(session.state([]))
            if self.recipe.fit.snapshots:
                self.run.save_snapshot(0, session.candidate.state_dict())
        # A kill between the two left the history an epoch behind the state.
        if history != self.run.history():
            self.run.record(history)
        self.run.log("resumed" if history else "started", epochs=len(history), **machine)
        return history

    def _machine(self, session: Session) -> dict[str, Any]:
        return {
            "device": devices.describe(self.device),
            "precision": session.precision,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "parameters": sum(p.numel() for p in session.network.parameters()),
            "steps": session.steps,
        }

    def _keep(self, session: Session, history: list[Epoch]) -> None:
        """Weights before the state, the state before the history: what a kill between two of them
        leaves, a resumed run writes again."""
        weights = session.candidate.state_dict()
        if history[-1].validation_accuracy >= max(e.validation_accuracy for e in history):
            self.run.save_weights(weights)
        self.run.save_weights(weights, LAST)
        every = self.recipe.fit.snapshots
        if every and session.done % every == 0:
            self.run.save_snapshot(session.done, weights)
        self.run.save_state(session.state(history))
        self.run.record(history)
        self.run.log("epoch", **asdict(history[-1]))


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        return "interrupted"
    return f"failed: {error or type(error).__name__}"
