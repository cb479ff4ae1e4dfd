"""Watching a training loop that knows nothing of it.

    with doctor.watch(network, optimiser) as patient:
        for images, labels in loader:
            ...                                   # the loop as it was
    patient.report()                              # or patient.findings

Hooks on the network, its parameters and the optimiser write the patient's ``Chart``; all of them
are removed at the end of the block, whatever happens in it. Nothing of the training is changed, and
no random number is drawn. What was compiled runs uncompiled in the block, so that it can be heard.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from training.doctor import board, diagnose, report
from training.doctor.chart import Chart
from training.doctor.findings import Finding
from training.doctor.held_out import Batches, Follower, read
from training.doctor.listen import Listener
from training.doctor.record import Record
from training.doctor.steps import parameters, rate

_MODAL = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
"""Layers that work differently in eval mode."""


def watch(
    network: nn.Module,
    optimiser: Optimizer | Sequence[Optimizer],
    *,
    training: Batches | None = None,
    validation: Batches | None = None,
) -> "Patient":
    """``validation``: a loader whose loss is followed. ``training``: the training loader, to
    compare the two before the first step; without it validation images are compared with the
    images that came by. Both must give (images, labels) as the network is given them."""
    optimisers = [optimiser] if isinstance(optimiser, Optimizer) else list(optimiser)
    return Patient(network, optimisers, training, validation)


class Patient:
    def __init__(
        self,
        network: nn.Module,
        optimisers: Sequence[Optimizer],
        training: Batches | None = None,
        validation: Batches | None = None,
    ) -> None:
        self._network, self._optimisers = network, optimisers
        own = dict(network.named_parameters())
        self._held = _named(parameters(optimisers), own)
        self._chart = Chart(own, self._held)
        self._training, self._validation = training, validation
        self._follower: Follower | None = None
        self._handles: list[RemovableHandle] = []
        self._inside: list[str] = []
        self._resting = True
        self._open = ExitStack()

    @property
    def record(self) -> Record:
        return self._chart.record

    @property
    def findings(self) -> list[Finding]:
        """Root cause first; empty where nothing is wrong."""
        return diagnose.diagnose(self.record)

    def report(self, folder: str | Path | None = None) -> list[Finding]:
        """Print the findings; with ``folder`` also write doctor.json, pictures and one page."""
        return report.tell(self.record, self.findings, None if folder is None else Path(folder))

    def tensorboard(self, folder: str | Path) -> None:
        """Write what was seen as event files."""
        board.write(self.record, Path(folder))

    def start(self) -> Self:
        self._read_loaders()
        self._hook_network()
        self._hook_parameters()
        self._resting = False
        chart = self._chart
        self._open.enter_context(
            Listener(chart.before_loss, chart.heard_loss, self._activation, chart.heard_backward)
        )
        if "torch._dynamo" in sys.modules:  # a compiled network would be heard only while traced
            self._open.enter_context(torch.compiler.set_stance("force_eager"))
        return self

    def stop(self) -> None:
        """Takes every hook away; a second call does nothing."""
        self._open.close()
        while self._handles:
            self._handles.pop().remove()
        self._chart.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if isinstance(error, Exception):
            for finding in self.findings[:1]:
                error.add_note(f"doctor: {finding.title}. {finding.evidence} {finding.advice}")

    def _read_loaders(self) -> None:
        if self._training is not None:
            for images, _ in read(self._training, "training"):
                self._chart.record.know(images)
        if self._validation is not None:
            self._chart.follow_loop = False
            self._follower = Follower(self._network, self._chart.record, self._validation)

    def _hook_network(self) -> None:
        keep = self._handles.append
        keep(self._network.register_forward_pre_hook(self._begin, with_kwargs=True))
        for name, module in self._network.named_modules():
            if module is not self._network:
                keep(module.register_forward_pre_hook(self._entering(name)))
                keep(module.register_forward_hook(self._leave, always_call=True))

    def _hook_parameters(self) -> None:
        keep = self._handles.append
        for name, p in self._held.items():
            if p.requires_grad:
                keep(p.register_hook(self._arriving(name, p)))
        for last in self._optimisers[-1:]:  # of several, the last one to be given ends the step
            keep(last.register_step_pre_hook(self._before_step))
            keep(last.register_step_post_hook(self._after_step))

    def _begin(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._resting:
            return
        given = [*args, *kwargs.values()]
        inputs = next((a for a in given if isinstance(a, Tensor)), None)
        self._inside.clear()
        if torch.is_grad_enabled():
            self._chart.begin(inputs, self._sleeping())
        else:
            self._chart.glance(inputs)

    def _sleeping(self) -> tuple[str, ...]:
        """Dropout and batch norm in eval mode; some of them alone may be frozen on purpose."""
        modal = [(n, m) for n, m in self._network.named_modules() if isinstance(m, _MODAL)]
        asleep = tuple(n for n, m in modal if not m.training)
        return asleep if len(asleep) == len(modal) else ()

    def _entering(self, name: str) -> Callable[[nn.Module, Any], None]:
        def enter(_: nn.Module, __: Any) -> None:
            self._inside.append(name)

        return enter

    def _leave(self, _: nn.Module, __: Any, ___: Any) -> None:
        if self._inside:
            self._inside.pop()

    def _activation(self, kind: str, values: Tensor) -> None:
        if not self._resting:
            self._chart.heard_activation(self._inside[-1] if self._inside else kind, kind, values)

    def _arriving(self, name: str, p: Tensor) -> Callable[[Tensor], None]:
        def arrive(_: Tensor) -> None:
            self._chart.arrived(name, p)

        return arrive

    def _before_step(self, *_: Any) -> None:
        self._chart.before_step()

    def _after_step(self, *_: Any) -> None:
        self._chart.after_step(rate(self._optimisers))
        if self._follower is not None:
            self._resting = True
            try:
                self._follower.after(self._chart.now)
            finally:
                self._resting = False


def _named(given: Sequence[Tensor], own: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    """Parameters by the network's names; those that it does not own get one from their shape."""
    names = {id(p): name for name, p in own.items()}
    found: dict[str, Tensor] = {}
    for place, p in enumerate(given):
        found[names.get(id(p), f"parameter {place} ({'x'.join(map(str, p.shape))})")] = p
    return found
