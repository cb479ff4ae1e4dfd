"""What was seen of a training: plain figures, from which everything else is concluded."""

import math
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from training.doctor.stream import Stream, fingerprints

_PIXELS = 4000
"""Input values kept for the histogram."""


@dataclass
class Step:
    """One optimiser step. The dicts (weight -> norm) are empty where a step was not measured; the
    gradients are those of the mean loss, as the optimiser gets them."""

    loss: float
    rate: float
    gradients: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    updates: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Weight:
    """A weight with two or more dimensions, before the first step.

    ``gain`` is its standard deviation times sqrt(fan in): 1.41 for He, about 1 for Glorot, 0.58 for
    PyTorch's default. ``distinct``: units whose weights or gradients differ from the others'.
    """

    name: str
    units: int
    fan_in: int
    gain: float
    mean: float
    constant: bool
    distinct: int
    normed: bool
    output: bool


@dataclass
class Heard:
    """One pass through one activation function, summed up. ``active``: units that gave more than
    0 for any image; ``extreme``: share of values at the flat ends of sigmoid or tanh."""

    step: int
    images: int
    active: Tensor
    extreme: float
    spread: float
    values: Tensor


@dataclass
class Layer:
    """``kind`` is the activation function; ``first`` is from before the first step. ``answers``:
    what it gives goes into the loss, so being extreme is its task."""

    name: str
    kind: str
    first: Heard
    late: list[Heard] = field(default_factory=list)
    answers: bool = False


@dataclass(frozen=True)
class HeldOut:
    """The loss on images that were not trained on, after so many steps."""

    step: int
    loss: float
    accuracy: float
    n: int


@dataclass(frozen=True)
class Wiring:
    """Read off the graph of the first loss. ``missing``: (name, size) of parameters that get a
    gradient and are in no optimiser. ``rows``: weights in a row without an activation between."""

    rows: tuple[tuple[str, str], ...] = ()
    missing: tuple[tuple[str, int], ...] = ()
    missing_share: float = 0.0


@dataclass(frozen=True)
class Outputs:
    """What the loss was given first. ``last``: the activation function that made it, or "".
    ``probabilities``: each row is at least 0 and sums to 1; ``log_probabilities``: its exp does."""

    last: str
    probabilities: bool
    log_probabilities: bool
    spread: float


@dataclass
class Inputs:
    """What the network is given: sums over all values, and some of them for the histogram."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    values: Tensor | None = None

    @property
    def mean(self) -> float:
        return self.total / self.n if self.n else math.nan

    @property
    def std(self) -> float:
        return math.sqrt(max(self.squares / self.n - self.mean**2, 0)) if self.n else math.nan

    def add(self, batch: Tensor) -> None:
        flat = batch.detach().double().flatten()
        self.n += flat.numel()
        self.total += float(flat.sum())
        self.squares += float((flat * flat).sum())
        if self.values is None:
            self.values = flat[:: max(1, flat.numel() // _PIXELS)].float().clone().cpu()


@dataclass
class Record:
    """``sleeping``: layers that dropped or normalised as in evaluation at a training step.
    ``stale_steps``: measured steps whose backward pass added to an earlier step's gradients.
    ``silent``: parameters in an optimiser without a gradient. ``unit``: what ``steps`` holds; of a
    run that is over only its epochs are known."""

    unit: Literal["step", "epoch"] = "step"
    loss_name: str = ""
    classes: int = 0
    label_range: tuple[int, int] | None = None
    outputs: Outputs | None = None
    steps: list[Step] = field(default_factory=list)
    measured_steps: int = 0
    weights: list[Weight] = field(default_factory=list)
    layers: dict[str, Layer] = field(default_factory=dict)
    wiring: Wiring = field(default_factory=Wiring)
    inputs: Inputs = field(default_factory=Inputs)
    input_normed: bool = False
    stream: Stream = field(default_factory=Stream)
    validation: Stream = field(default_factory=Stream)
    training_prints: set[bytes] = field(default_factory=set)
    held_out: list[HeldOut] = field(default_factory=list)
    sleeping: tuple[str, ...] = ()
    sleeping_steps: int = 0
    stale_steps: int = 0
    silent: tuple[str, ...] = ()

    @property
    def losses(self) -> list[float]:
        return [step.loss for step in self.steps]

    def hold_out(self, new: HeldOut) -> None:
        """Batches after the same step are parts of one evaluation."""
        old = self.held_out[-1] if self.held_out else None
        if old is None or old.step != new.step:
            self.held_out.append(new)
            return
        n = old.n + new.n
        loss = (old.loss * old.n + new.loss * new.n) / n
        accuracy = (old.accuracy * old.n + new.accuracy * new.n) / n
        self.held_out[-1] = HeldOut(old.step, loss, accuracy, n)

    def know(self, images: Tensor) -> None:
        """Training images that are known before they come by."""
        self.training_prints.update(fingerprints(images))
