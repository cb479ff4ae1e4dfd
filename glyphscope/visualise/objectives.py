"""What is maximised: activations -> one score an image, to be added, subtracted and scaled.

    Objective = layers it listens to + score(heard: {layer: (N, ...)}) -> (N,)

    channel("out2", [3, 7]) - 0.1 * layer("act1")        image 0 is for unit 3, image 1 for unit 7

After Lucid's objectives (Olah, Mordvintsev & Schubert 2017), which are maximised and not minimised.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Heard = Mapping[str, Tensor]


@dataclass(frozen=True)
class Objective:
    layers: frozenset[str]
    score: Callable[[Heard], Tensor]

    def __add__(self, other: "Objective") -> "Objective":
        both = self.layers | other.layers
        return Objective(both, lambda heard: self.score(heard) + other.score(heard))

    def __sub__(self, other: "Objective") -> "Objective":
        return self + -1.0 * other

    def __mul__(self, factor: float) -> "Objective":
        return Objective(self.layers, lambda heard: self.score(heard) * factor)

    def __neg__(self) -> "Objective":
        return self * -1.0

    __rmul__ = __mul__


def channel(layer: str, units: Sequence[int]) -> Objective:
    """Mean over a channel's positions; of a dense layer the unit itself, so of the last a logit."""
    own = _Own(units)

    def score(heard: Heard) -> Tensor:
        found = own(heard[layer])
        return found.reshape(len(found), -1).mean(1)

    return Objective(frozenset({layer}), score)


def neuron(layer: str, units: Sequence[int], position: tuple[int, int] | None = None) -> Objective:
    """One position (row, column) of a channel; the middle where none is given."""
    own = _Own(units)

    def score(heard: Heard) -> Tensor:
        found = own(heard[layer])
        if found.ndim == 1:
            return found
        row, column = position or (found.shape[1] // 2, found.shape[2] // 2)
        return found[:, row, column]

    return Objective(frozenset({layer}), score)


def layer(name: str) -> Objective:
    """All of a layer at once: the mean square (DeepDream, Mordvintsev et al. 2015)."""
    return Objective(frozenset({name}), lambda heard: heard[name].flatten(1).square().mean(1))


def direction(name: str, vector: Tensor) -> Objective:
    """Mean over positions of the dot product with ``vector`` (units,)."""
    there = _There(vector)

    def score(heard: Heard) -> Tensor:
        output = heard[name]
        dots = torch.einsum("nu...,u->n...", output, there.on(output.device))
        return dots.reshape(len(output), -1).mean(1)

    return Objective(frozenset({name}), score)


def diversity(name: str) -> Objective:
    """Of each image, how little its channels go together as in the others: minus the mean cosine
    of their Gram matrices (Olah et al. 2017, "Diversity"). -1 where all images are alike."""

    def score(heard: Heard) -> Tensor:
        maps = heard[name].flatten(2)
        gram = torch.nn.functional.normalize((maps @ maps.transpose(1, 2)).flatten(1), dim=1)
        alike = gram @ gram.T
        return (alike.diagonal() - alike.sum(1)) / max(len(maps) - 1, 1)

    return Objective(frozenset({name}), score)


class _There:
    """A tensor on whatever device it is asked for, copied once: a recorded step copies nothing."""

    def __init__(self, tensor: Tensor) -> None:
        self._copies = {tensor.device: tensor}

    def on(self, device: torch.device) -> Tensor:
        if device not in self._copies:
            self._copies[device] = next(iter(self._copies.values())).to(device)
        return self._copies[device]


class _Own:
    """Of image i, unit i: (N, H, W), or (N,) of a dense layer."""

    def __init__(self, units: Sequence[int]) -> None:
        self._images = _There(torch.arange(len(units)))
        self._units = _There(torch.tensor(list(units)))

    def __call__(self, output: Tensor) -> Tensor:
        images, units = self._images.on(output.device), self._units.on(output.device)
        if len(output) != len(units):
            raise ValueError(f"{len(output)} images for {len(units)} units")
        return output[images, units]
