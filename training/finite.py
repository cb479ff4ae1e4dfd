"""Watching for the first figure that is no finite number, and saying where it came from."""

import math

import torch
from torch import Tensor, nn

from training.failure import Failure


class Diverged(Failure):
    code = "diverged"
    title = "Training diverged"


class NotFinite(Exception):  # caught by the session, never shown
    """The loss of a step. Steps count from 1 in their epoch."""

    def __init__(self, step: int, loss: float) -> None:
        self.step, self.loss = step, loss
        super().__init__(f"loss {loss} at step {step}")


class Tally:
    """Loss and right answers of an epoch, read from the device every ``every`` steps: reading
    waits for it. Raises ``NotFinite`` when a loss that is read is not."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.steps = 0
        self._loss = self._right = 0.0
        self._unread: list[Tensor] = []

    def add(self, loss: Tensor, right: Tensor) -> None:
        """The mean loss and the share of right answers of a batch."""
        self._unread.append(torch.stack([loss, right]))
        if len(self._unread) == self.every:
            self._read()

    def means(self) -> tuple[float, float]:
        """(loss, accuracy) over the epoch's batches, which are all of the same size."""
        self._read()
        return self._loss / self.steps, self._right / self.steps

    def _read(self) -> None:
        unread, self._unread = self._unread, []
        for loss, right in torch.stack(unread).tolist() if unread else []:
            self.steps += 1
            if not math.isfinite(loss):
                raise NotFinite(self.steps, loss)
            self._loss += loss
            self._right += right


def origin(network: nn.Module, images: Tensor) -> str:
    """Where a loss that is not finite began, as a sentence: weights, else a layer's output.

    The gradients are those of the step before. They are passed from the last layer to the first,
    so the last layer with one that is not finite is where it began.
    """
    broken = [name for name, p in network.named_parameters() if not _finite(p)]
    if broken:
        graded = [n for n, p in network.named_parameters() if p.grad is not None]
        grads = [n for n in graded if not _finite(_gradient(network, n))]
        cause = f", after a gradient of {grads[-1]} that was not" if grads else ""
        return f"The weights {broken[0]} are not finite any more{cause}."
    name, module = _first_output(network, images)
    if module is None:
        return "Every weight and every layer's output is finite: the logits are too large."
    largest = max((float(p.detach().abs().max()) for p in module.parameters()), default=math.nan)
    reach = f"; its weights reach {largest:.2g}" if math.isfinite(largest) else ""
    return f"The output of layer {name} is the first that is not finite{reach}."


def _first_output(network: nn.Module, images: Tensor) -> tuple[str, nn.Module | None]:
    found: list[str] = []

    def hook(name: str):  # type: ignore[no-untyped-def]
        def look(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            if not found and not _finite(output):
                found.append(name)

        return look

    leaves = [(n, m) for n, m in network.named_modules() if not any(m.children())]
    handles = [module.register_forward_hook(hook(name)) for name, module in leaves]
    try:
        with torch.no_grad():
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    return (found[0], network.get_submodule(found[0])) if found else ("", None)


def _gradient(network: nn.Module, name: str) -> Tensor:
    gradient = network.get_parameter(name).grad
    assert gradient is not None
    return gradient


def _finite(values: Tensor) -> bool:
    return bool(torch.isfinite(values).all())
