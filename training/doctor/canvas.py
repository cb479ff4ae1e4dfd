"""What the doctor's pictures are drawn with: axes, lines to judge by, rows of images, names."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from matplotlib.transforms import Transform
from torch import Tensor

from training.doctor.record import Layer, Weight
from training.plots import ACCENT, INK, LINE, QUIET, dress

LAYERS = 6
"""Layers drawn beside each other; of more, evenly spaced ones."""


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """The margins follow the labels, which are as long as a user's names of layers."""
    made = Figure(figsize=(width, height), layout="constrained")
    made.get_layout_engine().set(w_pad=0.1, h_pad=0.08)  # type: ignore[union-attr,call-arg]
    return made, dress(made.subplots())


def running_median(values: np.ndarray, width: int) -> list[float]:
    return [float(np.median(values[max(i - width, 0) : i + 1])) for i in range(len(values))]


def across(axes: Axes) -> Transform:
    """x in data, y in 0..1 of the axes."""
    found: Transform = axes.get_xaxis_transform()
    return found


def grid(images: Sequence[Tensor], captions: Sequence[str], said: str) -> Figure:
    made = Figure(figsize=(7.2, 2.5 if len(images) > 8 else 1.6), layout="constrained")
    made.suptitle(said, x=0.01, ha="left", color=INK, fontsize=10.5)
    rows = 2 if len(images) > 8 else 1
    cells = np.ravel(made.subplots(rows, 8))
    for place, axes in enumerate(cells):
        axes.set_axis_off()
        if place < len(images):
            axes.imshow(picture(images[place]), cmap="gray", interpolation="nearest")
        if place < len(captions):
            axes.set_title(captions[place], fontsize=9, color=ACCENT, pad=2)
    return made


def picture(image: Tensor) -> np.ndarray:
    """(C, H, W) or flat -> (H, W) or (H, W, 3), stretched to 0..1."""
    x = image.float()
    side = math.isqrt(x.numel())
    if x.dim() == 1:
        x = x[None] if side * side != x.numel() else x.view(side, side)
    if x.dim() == 3:
        x = x[:3].movedim(0, -1) if len(x) >= 3 else x[0]
    low, high = float(x.min()), float(x.max())
    picture: np.ndarray = ((x - low) / max(high - low, 1e-6)).numpy()
    return picture


def spaced(items: list[Layer]) -> list[Layer]:
    if len(items) <= LAYERS:
        return items
    picks = np.linspace(0, len(items) - 1, LAYERS).round().astype(int)
    return [items[i] for i in picks]


def line(axes: Axes, level: float, said: str, above: bool = True) -> None:
    axes.axhline(level, color=QUIET, linewidth=0.9, linestyle="--")
    axes.annotate(said, (1, level), (-2, 3 if above else -11), xycoords=axes.get_yaxis_transform(),
                  textcoords="offset points", ha="right", fontsize=8.5, color=QUIET)  # fmt: skip


def horizontal(axes: Axes) -> None:
    axes.grid(False, axis="y")
    axes.grid(axis="x", color=LINE, linewidth=0.8)


def log(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())


def shaped(weight: Weight) -> str:
    return f"{short(weight.name)} ({weight.fan_in} to {weight.units})"


def short(name: str) -> str:
    return name.removesuffix(".weight")
