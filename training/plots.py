"""Curves and confusion matrix as pictures (PNG, 150 dots an inch), drawn without a display."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glyphscope.manifest import Metrics
from training.run import Epoch

INK, QUIET, TRAIN, VALIDATION = "#1d2433", "#8a93a6", "#9aa5bd", "#3b5bdb"


def curves(history: Sequence[Epoch], path: Path) -> None:
    """Loss and error an epoch, training against validation; error on a log scale."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [e.epoch for e in history]
    _pair(left, epochs, [e.train_loss for e in history], [e.validation_loss for e in history])
    left.set_title("Loss", loc="left", color=INK)
    floor = 1e-4
    train = [max(100 * (1 - e.train_accuracy), floor) for e in history]
    validation = [max(100 * (1 - e.validation_accuracy), floor) for e in history]
    _pair(right, epochs, train, validation)
    right.set_yscale("log")
    right.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    right.yaxis.set_minor_formatter(lambda value, _: f"{value:g}")
    right.tick_params(which="minor", labelsize=7)
    right.set_title("Error, %", loc="left", color=INK)
    left.legend(frameon=False)
    _save(figure, path)


def confusion(metrics: Metrics, path: Path) -> None:
    """Row: true class, column: answer; each row in shares, so that small classes are seen too."""
    counts = np.array(metrics.confusion, dtype=np.float64)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = list(metrics.per_class)
    side = 4 + 0.17 * len(names)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share**0.5, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(labelsize=8, length=0, labelcolor=INK)
    axes.set_xlabel("answer", color=QUIET)
    axes.set_ylabel("true class", color=QUIET)
    axes.set_title(
        f"{metrics.split}: {metrics.accuracy:.2%} of {metrics.n:,}", loc="left", color=INK
    )
    axes.spines[:].set_visible(False)
    if len(names) <= 12:
        _label_cells(axes, counts, share)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02)
    ticks = [0.0, 0.01, 0.05, 0.25, 0.5, 1.0]
    bar.set_ticks([t**0.5 for t in ticks], labels=[f"{t:.0%}" for t in ticks])
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    _save(figure, path)


def _label_cells(axes: Axes, counts: np.ndarray, share: np.ndarray) -> None:
    for (row, column), n in np.ndenumerate(counts):
        if n:
            colour = "white" if share[row, column] > 0.4 else INK
            axes.text(column, row, f"{n:.0f}", ha="center", va="center", fontsize=7, color=colour)


def _pair(axes: Axes, x: list[int], train: list[float], validation: list[float]) -> None:
    axes.plot(x, train, color=TRAIN, label="training", marker="o", markersize=3)
    axes.plot(x, validation, color=VALIDATION, label="validation", marker="o", markersize=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e7eaf0")
    axes.set_axisbelow(True)
    axes.set_xlabel("epoch", color=QUIET)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=150, format="png")
