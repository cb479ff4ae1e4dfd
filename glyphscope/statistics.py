"""What each unit does over the test set: ``statistics.safetensors``.

Of a feature map the highest position counts, as in ``examples``, so an image gives a unit one
number. Lowest, highest and dead are over the whole test set, all else over a sample of at most
10,000 of its images, drawn once.

<layer>.lowest, .highest      (units,) float32
<layer>.dead                  (units,) uint8: 1 where lowest and highest are the same
<layer>.mean, .std            (units,) float32
<layer>.active                (units,) float32: share of the images on which it is above 0
<layer>.quantiles             (units, 7) float32 at ``QUANTILES``; .quantiles[:, 3] is the median
<layer>.class_mean, .class_std      (units, classes) float32, by the true class
<layer>.duplicates            (pairs, 2) int32: units whose maps correlate above ``SAME``, over all
                              positions of all images; the most alike first, at most ``MOST_PAIRS``
<layer>.correlations          (pairs,) float32
<layer>.top_high_frequency    (units,) float32: medians over the ``TOP`` images that drive the unit
<layer>.top_total_variation   (units,) float32  most; both figures are those of ``roughness``

A picture's score compares with these: r = (activation - median) / (highest - median).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from glyphscope.errors import NotFound
from glyphscope.examples import read_tensors, strongest
from glyphscope.manifest import STATISTICS

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MEDIAN = 3
"""Where the median stands in ``QUANTILES``."""

TOP = 100
SAME = 0.99
MOST_PAIRS = 1024
MOST_COMPARED = 4096
"""Units; a wider layer is not searched for duplicates."""

_ROWS = 65536
"""Positions that are correlated at a time."""


@dataclass(frozen=True)
class UnitStatistics:
    """Numbers as in the module's table; ``quantiles`` by share; ``duplicates``: (unit,
    correlation); ``class_means`` by class number."""

    unit: int
    lowest: float
    highest: float
    mean: float
    std: float
    active: float
    dead: bool
    quantiles: dict[float, float]
    class_means: tuple[float, ...]
    duplicates: tuple[tuple[int, float], ...]
    top_high_frequency: float
    top_total_variation: float

    @property
    def median(self) -> float:
        return self.quantiles[0.5]


@dataclass(frozen=True)
class Statistics:
    """Empty for a checkpoint that was published without them."""

    values: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(key.removesuffix(".dead") for key in self.values if key.endswith(".dead"))

    def get(self, layer: str, name: str) -> Tensor | None:
        """One tensor of the module's table; None for a layer that was not recorded."""
        return self.values.get(f"{layer}.{name}")

    def unit(self, layer: str, unit: int) -> UnitStatistics | None:
        """None for a layer that was not recorded. Raises ``NotFound`` for an unknown unit."""
        dead = self.get(layer, "dead")
        if dead is None:
            return None
        if unit not in range(len(dead)):
            raise NotFound(f"unit of layer {layer}", unit, range(len(dead)))
        at = {name: self.values[f"{layer}.{name}"][unit] for name in _OF_A_UNIT}
        return UnitStatistics(
            unit=unit,
            dead=bool(dead[unit]),
            quantiles=dict(zip(QUANTILES, at["quantiles"].tolist(), strict=True)),
            class_means=tuple(at["class_mean"].tolist()),
            duplicates=tuple(self._twins(layer, unit)),
            **{name: float(at[name]) for name in _NUMBERS},
        )

    def dead(self, layer: str) -> tuple[int, ...]:
        """Units that answer the same to every image of the test set."""
        found = self.get(layer, "dead")
        return () if found is None else tuple(found.nonzero()[:, 0].tolist())

    def duplicates(self, layer: str) -> tuple[tuple[int, int, float], ...]:
        """(unit, unit, correlation), the most alike first."""
        pairs, values = self.get(layer, "duplicates"), self.get(layer, "correlations")
        if pairs is None or values is None:
            return ()
        both = zip(pairs.tolist(), values.tolist(), strict=True)
        return tuple((first, second, value) for (first, second), value in both)

    def _twins(self, layer: str, unit: int) -> list[tuple[int, float]]:
        return [
            (second if first == unit else first, value)
            for first, second, value in self.duplicates(layer)
            if unit in (first, second)
        ]


_NUMBERS = (
    "lowest", "highest", "mean", "std", "active", "top_high_frequency", "top_total_variation",
)  # fmt: skip
_OF_A_UNIT = (*_NUMBERS, "quantiles", "class_mean")


def read(folder: Path) -> Statistics:
    return Statistics(read_tensors(folder / STATISTICS))


@dataclass
class Tally:
    """One layer's, filled batch by batch. ``add`` is told which images belong to the sample."""

    bounds: tuple[Tensor, Tensor] | None = None
    values: list[Tensor] = field(default_factory=list)
    maps: "Correlation | None" = None

    def add(self, output: Tensor, sampled: Tensor) -> None:
        """``output``: (N, units) or (N, C, H, W); ``sampled``: (N,) bool."""
        values = strongest(output)
        low, high = values.amin(0), values.amax(0)
        if self.bounds is None or self.maps is None:
            self.bounds, self.maps = (low, high), Correlation.of(output)
        else:
            self.bounds = torch.minimum(self.bounds[0], low), torch.maximum(self.bounds[1], high)
        every = bool(sampled.all())  # the usual case, in which nothing needs to be copied
        self.values.append(values if every else values[sampled])
        self.maps.add(output if every else output[sampled])

    def tensors(self, labels: Tensor, classes: int, roughness: Tensor) -> dict[str, Tensor]:
        """``labels`` (S,) and ``roughness`` (S, 2), high frequency and total variation, are of the
        sample's images in the order they were added."""
        assert self.bounds is not None
        assert self.maps is not None
        values = torch.cat(self.values)
        class_mean, class_std = _by_class(values, labels, classes)
        pairs, correlations = self.maps.above(SAME)
        best = values.topk(min(TOP, len(values)), dim=0).indices
        rough = roughness[best].median(0).values
        found = {
            "lowest": self.bounds[0],
            "highest": self.bounds[1],
            "dead": (self.bounds[0] == self.bounds[1]).to(torch.uint8),
            "mean": values.mean(0),
            "std": values.std(0, correction=0),
            "active": (values > 0).float().mean(0),
            "quantiles": _quantiles(values),
            "class_mean": class_mean,
            "class_std": class_std,
            "duplicates": pairs,
            "correlations": correlations,
            "top_high_frequency": rough[:, 0],
            "top_total_variation": rough[:, 1],
        }
        return {name: tensor.contiguous() for name, tensor in found.items()}


@dataclass
class Correlation:
    """Pearson's, between all units of a layer, over every position of every image, streaming.

    ``shift`` is near the mean, so that the sums keep their digits.
    """

    shift: Tensor
    count: int = 0
    total: Tensor = field(default_factory=lambda: torch.zeros(0))
    products: Tensor = field(default_factory=lambda: torch.zeros(0))

    @classmethod
    def of(cls, output: Tensor) -> "Correlation":
        units = output.shape[1]
        zeros = torch.zeros(units, dtype=torch.float64)
        square = units if units <= MOST_COMPARED else 0
        products = torch.zeros(square, square, dtype=torch.float64)
        return cls(rows(output).mean(0), 0, zeros, products)

    def add(self, output: Tensor) -> None:
        for part in rows(output).split(_ROWS):
            away = part - self.shift
            self.count += len(away)
            self.total += away.sum(0).double()
            if len(self.products):
                self.products += (away.T @ away).double()

    def matrix(self) -> Tensor:
        """(units, units) float32; 0 for a unit that never changes."""
        mean = self.total / self.count
        covariance = self.products / self.count - mean[:, None] * mean
        scale = covariance.diagonal().clamp(min=0).sqrt()
        still = scale <= 1e-6 * scale.max().clamp(min=1e-30)
        inverse = torch.where(still, 0.0, 1 / scale.clamp(min=1e-30))
        return (covariance * inverse[:, None] * inverse).float()

    def above(self, limit: float) -> tuple[Tensor, Tensor]:
        """(pairs, 2) int32 and (pairs,), the most alike first."""
        if not len(self.products):
            return torch.zeros(0, 2, dtype=torch.int32), torch.zeros(0)
        matrix = self.matrix().triu(1)
        pairs = (matrix > limit).nonzero()
        values = matrix[pairs[:, 0], pairs[:, 1]]
        order = values.argsort(descending=True, stable=True)[:MOST_PAIRS]
        return pairs[order].int(), values[order].clamp(max=1)


def rows(output: Tensor) -> Tensor:
    """(N, C, H, W) -> (N H W, C) float32; (N, units) as it is."""
    if output.ndim == 4:
        output = output.permute(0, 2, 3, 1).reshape(-1, output.shape[1])
    return output.float()


def _quantiles(values: Tensor) -> Tensor:
    """(units, len(QUANTILES)); by sorting, because torch.quantile refuses large tensors."""
    ordered = values.sort(dim=0).values
    at = torch.tensor(QUANTILES, dtype=torch.float64) * (len(values) - 1)
    low = at.floor().long()
    share = (at - low).float()[:, None]
    high = (low + 1).clamp(max=len(values) - 1)
    return torch.lerp(ordered[low], ordered[high], share).T


def _by_class(values: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (units, classes); 0 for a class without images."""
    count = torch.bincount(labels, minlength=classes).clamp(min=1)[:, None]
    shape = classes, values.shape[1]
    mean = torch.zeros(shape).index_add_(0, labels, values) / count
    away = (values - mean[labels]).square()
    variance = torch.zeros(shape).index_add_(0, labels, away) / count
    return mean.T, variance.sqrt().T
