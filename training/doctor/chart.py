"""The patient's chart: takes what the hooks hear, one event at a time, and fills the ``Record``.

begin -> heard_activation... -> heard_loss -> arrived (gradients) -> before_step -> after_step
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.doctor import first, graph
from training.doctor.listen import LossCall
from training.doctor.record import Heard, HeldOut, Layer, Record, Step
from training.doctor.steps import Measurement

LATE = 20
"""Measured passes that dead units are counted over, the last ones."""

_SAMPLED = 32
"""Images whose activations are looked at one by one."""

_VALUES = 4000
"""Activations kept of a pass for the histogram."""


@dataclass
class Pass:
    """One forward pass with gradients, up to its loss. ``trained``: a gradient came back."""

    inputs: Tensor | None = None
    sleeping: tuple[str, ...] = ()
    calls: list[LossCall] = field(default_factory=list)
    total: float = math.nan
    trained: bool = False
    names: dict[str, int] = field(default_factory=dict)
    activated: dict[int, Layer] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        if self.calls:
            return sum(call.mean for call in self.calls) / len(self.calls)
        return self.total


class Chart:
    """``own``: the network's parameters by name; ``held``: those that an optimiser holds."""

    def __init__(self, own: Mapping[str, Tensor], held: Mapping[str, Tensor]) -> None:
        self.record = Record()
        self.follow_loop = True
        self._own, self._held = own, held
        self._pass = Pass()
        self._glanced: Tensor | None = None
        self._graph: graph.Graph | None = None
        self._arrived: dict[str, int] = {}
        self._stale_at = -1
        self._measurement: Measurement | None = None

    @property
    def now(self) -> int:
        """Steps done."""
        return len(self.record.steps)

    @property
    def due(self) -> bool:
        """Whether this step is measured: the first ones all, later ones a sample."""
        return self.now < 20 or self.now % (10 if self.now < 1000 else 50) == 0

    def begin(self, inputs: Tensor | None, sleeping: tuple[str, ...]) -> None:
        self.close()
        self._pass = Pass(inputs, sleeping)

    def close(self) -> None:
        """The pass is over; whether it was training is known only now."""
        done, self._pass = self._pass, Pass()
        for call in done.calls[:1]:
            if done.trained:
                self._seen(done.inputs, call)
            else:
                self._held_out(done.inputs, call)

    def glance(self, inputs: Tensor | None) -> None:
        """A pass without gradients begins."""
        self._glanced = inputs

    def before_loss(self, name: str, outputs: Tensor, target: Tensor) -> None:
        if target.is_floating_point() or target.numel() == 0 or outputs.dim() < 2:
            return
        low, high = int(target.min()), int(target.max())
        known = self.record.label_range or (low, high)
        self.record.label_range = (min(low, known[0]), max(high, known[1]))
        self.record.loss_name, self.record.classes = name, outputs.shape[1]

    def heard_loss(self, call: LossCall) -> None:
        if not (torch.is_grad_enabled() and call.outputs.requires_grad):
            self._held_out(self._glanced, call)
            return
        if not self.record.loss_name:
            self.record.loss_name = call.name
            self.record.classes = call.outputs.shape[1] if call.outputs.dim() > 1 else 1
        if self._graph is None:
            self._read_graph(call)
        if id(call.outputs) in self._pass.activated:
            self._pass.activated[id(call.outputs)].answers = True
        self._pass.calls.append(call)

    def _read_graph(self, call: LossCall) -> None:
        self._graph = graph.read(call.outputs)
        self.record.wiring = first.wiring(self._own, self._held, self._graph)
        self.record.input_normed = self._graph.input_normed
        self.record.outputs = first.outputs(call, self._graph.last)

    def heard_activation(self, where: str, kind: str, values: Tensor) -> None:
        if not (self.due and torch.is_grad_enabled() and values.dim() >= 2):
            return
        new = _heard(self.now, kind, values.detach())
        if not math.isfinite(new.spread):
            return  # what is no number is neither dead nor saturated
        count = self._pass.names[where] = self._pass.names.get(where, 0) + 1
        name = kind if where == kind else f"{where} ({kind})"
        name += f" {count}" if count > 1 else ""
        layer = self.record.layers.setdefault(name, Layer(name, kind, new))
        layer.late = [*layer.late, new][-LATE:]
        self._pass.activated[id(values)] = layer

    def heard_backward(self, loss: Tensor) -> None:
        self._pass.total = float(loss.detach()) if loss.numel() == 1 else math.nan

    def arrived(self, name: str, p: Tensor) -> None:
        """A gradient is about to be added to ``p.grad``."""
        self._pass.trained = True
        if self._arrived.get(name) == self.now:
            return
        self._arrived[name] = self.now
        # Whatever lies there when the first gradient after a step comes is of an earlier step.
        if self.now and self.due and p.grad is not None and bool(p.grad.any()):
            self._stale_at = self.now

    def before_step(self) -> None:
        if self.now == 0:
            self.record.weights = first.weights({**self._own, **self._held}, self._graph)
        self._measurement = Measurement(self._held) if self.due else None
        if self._measurement is not None and self.now in (0, 1, 10):
            self.record.silent = self._measurement.silent

    def after_step(self, rate: float) -> None:
        loss, measured = self._pass.loss, self._measurement
        self.record.measured_steps += measured is not None
        self.record.stale_steps += measured is not None and self._stale_at == self.now
        if self._pass.sleeping:
            self.record.sleeping = self._pass.sleeping
            self.record.sleeping_steps += 1
        scale = self._pass.calls[0].scale if self._pass.calls else 1
        self.record.steps.append(
            Step(loss, rate) if measured is None else measured.step(loss, scale, rate)
        )
        self._measurement = None

    def _seen(self, inputs: Tensor | None, call: LossCall) -> None:
        if inputs is None or not inputs.is_floating_point() or len(call.target) != len(inputs):
            return
        self.record.inputs.add(inputs)
        if call.outputs.dim() == 2:
            labels = call.target if call.target.dim() == 1 else call.target.argmax(1)
            right = call.outputs.detach().argmax(1) == labels
            counted = labels >= 0  # -100 is for images whose label is to be ignored
            self.record.stream.add(inputs[counted], labels[counted].long(), right[counted])

    def _held_out(self, inputs: Tensor | None, call: LossCall) -> None:
        """A loss that was only looked at. Of training images it says nothing new."""
        if not self.follow_loop or call.outputs.dim() != 2 or call.target.dim() != 1:
            return
        if inputs is not None and self.record.stream.knows_all(inputs):
            return
        right = float((call.outputs.argmax(1) == call.target).float().mean())
        self.record.hold_out(HeldOut(self.now, call.mean, right, len(call.target)))


def _heard(step: int, kind: str, values: Tensor) -> Heard:
    """Units are the second dimension of maps and vectors, the last of sequences. All images count
    for what is dead, the first ones for the rest."""
    unit = 2 if values.dim() == 3 else 1
    others = [d for d in range(values.dim()) if d != unit]
    flat = values[:_SAMPLED].flatten().float()
    if kind == "sigmoid":
        extreme = float(((flat < 0.02) | (flat > 0.98)).float().mean())
    elif kind == "tanh":
        extreme = float((flat.abs() > 0.98).float().mean())
    else:
        extreme = 0.0
    return Heard(
        step=step,
        images=len(values),
        active=(values.amax(others) > 0).cpu(),
        extreme=extreme,
        spread=float(flat.std(correction=0)),
        # A copy: a view would keep the whole of them in memory.
        values=flat[:: max(1, len(flat) // _VALUES)].clone().cpu(),
    )
