"""Curves and confusion matrix as pictures, and the one style of every plot of training.

figure(...) -> Figure, Axes      dressed in the palette below, drawn without a display
png(figure, path)                150 dots an inch, on white
svg(figure, label) -> str        for HTML: colours are CSS variables, so a page may be dark
"""

import io
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from glyphscope.manifest import Metrics
from training.run import Epoch

SURFACE, INK, QUIET, LINE = "#ffffff", "#211f1c", "#6b655d", "#e4dfd7"
BAR, ACCENT = "#b9b2a8", "#c2431a"
TRAIN, VALIDATION = BAR, ACCENT

_VARIABLES = {
    SURFACE: "surface",
    INK: "ink",
    QUIET: "quiet",
    LINE: "line",
    BAR: "bar",
    ACCENT: "accent",
}


def figure(width: float = 4.6, height: float = 3.0) -> tuple[Figure, Axes]:
    """Inches. One plot: several stand beside each other by the page's layout, not by ours."""
    made = Figure(figsize=(width, height))
    left, bottom = 0.52 / width, 0.46 / height
    return made, dress(made.add_axes((left, bottom, 0.985 - left, 1 - bottom - 0.32 / height)))


def dress(axes: Axes) -> Axes:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(BAR)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, length=0, labelcolor=QUIET, pad=5)
    axes.xaxis.label.set(color=QUIET, fontsize=9)
    axes.yaxis.label.set(color=QUIET, fontsize=9)
    axes.set_facecolor("none")
    return axes


def title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", color=INK, fontsize=10.5, pad=10)


def png(made: Figure, path: Path) -> None:
    made.savefig(path, dpi=150, format="png", facecolor=SURFACE)


def svg(made: Figure, label: str) -> str:
    """``label`` says in words what is to be seen. Text stays text, in the page's font."""
    buffer = io.StringIO()
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": label, "image.composite_image": False}
    ):
        made.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', _opening(label), text, count=1)
    text = re.sub(r'(<g) id="[^"]*"', r"\1", text)
    text = re.sub(r"font-family: [^;\"]*; ?", "", text)
    for colour, name in _VARIABLES.items():
        text = text.replace(colour, f"var(--{name})")
    return text.strip()


def _opening(label: str) -> str:
    said = escape(label).replace("\\", "")
    return rf'<svg viewBox="\1" role="img" aria-label="{said}">'


def curves(history: Sequence[Epoch], path: Path) -> None:
    """Loss and error an epoch, training against validation; error on a log scale."""
    made = Figure(figsize=(9.2, 3.4), layout="constrained")
    left, right = made.subplots(1, 2)
    draw_loss(dress(left), history)
    draw_error(dress(right), history)
    png(made, path)


def draw_loss(axes: Axes, history: Sequence[Epoch]) -> None:
    _pair(axes, history, [e.train_loss for e in history], [e.validation_loss for e in history])
    title(axes, "Loss")


def draw_error(axes: Axes, history: Sequence[Epoch]) -> None:
    floor = 1e-2  # a logarithm has no zero
    train = [max(100 * (1 - e.train_accuracy), floor) for e in history]
    validation = [max(100 * (1 - e.validation_accuracy), floor) for e in history]
    _pair(axes, history, train, validation)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    title(axes, "Error, %")


def confusion(metrics: Metrics, path: Path) -> None:
    """Row: true class, column: answer; each row in shares, so that small classes are seen too."""
    counts = np.array(metrics.confusion, dtype=np.float64)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = list(metrics.per_class)
    side = 4 + 0.17 * len(names)
    made = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = made.subplots()
    image = axes.imshow(share**0.5, cmap="Oranges", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(labelsize=8, length=0, labelcolor=INK)
    axes.set_xlabel("answer", color=QUIET)
    axes.set_ylabel("true class", color=QUIET)
    title(axes, f"{metrics.split}: {metrics.accuracy:.2%} of {metrics.n:,}")
    axes.spines[:].set_visible(False)
    if len(names) <= 12:
        _label_cells(axes, counts, share)
    bar = made.colorbar(image, ax=axes, fraction=0.046, pad=0.02)
    ticks = [0.0, 0.01, 0.05, 0.25, 0.5, 1.0]
    bar.set_ticks([t**0.5 for t in ticks], labels=[f"{t:.0%}" for t in ticks])
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    png(made, path)


def _label_cells(axes: Axes, counts: np.ndarray, share: np.ndarray) -> None:
    for (row, column), n in np.ndenumerate(counts):
        if n:
            colour = "white" if share[row, column] > 0.4 else INK
            axes.text(column, row, f"{n:.0f}", ha="center", va="center", fontsize=7, color=colour)


def _pair(
    axes: Axes, history: Sequence[Epoch], train: list[float], validation: list[float]
) -> None:
    x = [e.epoch for e in history]
    axes.plot(x, train, color=TRAIN, label="training", marker="o", markersize=3)
    axes.plot(x, validation, color=VALIDATION, label="validation", marker="o", markersize=3)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=9, labelcolor=QUIET)
