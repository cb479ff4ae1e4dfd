"""The plots of the evaluation's report, each one figure, from what was recorded."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image

from training.counted import counted
from training.measure import BINS, Bin
from training.pen import Share
from training.plots import ACCENT, BAR, INK, LINE, QUIET, dress, figure, title
from training.rejection import Rejection, StrangerFigures
from training.robustness import Curve

FEW = 20
"""Bins of fewer images are drawn faint: their accuracy says little."""


def reliability(bins: Sequence[Bin], heading: str) -> Figure:
    """Accuracy against confidence (Guo et al. 2017, figure 1), and below how many images."""
    made = Figure(figsize=(4.6, 3.7))
    upper = dress(made.add_axes((0.155, 0.32, 0.80, 0.59)))
    lower = dress(made.add_axes((0.155, 0.13, 0.80, 0.15), sharex=upper))
    upper.tick_params(labelbottom=False)
    upper.plot([0, 1], [0, 1], color=INK, linewidth=1.1, linestyle=(0, (4, 3)), zorder=5)
    for b in bins:
        if b.accuracy is not None and b.confidence is not None:
            faint = 0.3 if b.n < FEW else 1.0
            middle = (b.low + b.high) / 2
            upper.bar(middle, b.accuracy, width=0.9 / BINS, color=ACCENT, alpha=faint)
    upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share right")
    upper.yaxis.set_major_formatter(PercentFormatter(1, 0))
    title(upper, heading)
    _counts(lower, bins)
    made.align_ylabels([upper, lower])
    return made


def _counts(axes: Axes, bins: Sequence[Bin]) -> None:
    middles = [(b.low + b.high) / 2 for b in bins]
    axes.bar(middles, [b.n for b in bins], width=0.9 / BINS, color=BAR)
    axes.set_yscale("symlog", linthresh=1)
    most = max(b.n for b in bins)
    axes.set_ylim(0, most * 3)
    axes.set_yticks([most], [f"{most:,}"])
    axes.tick_params(axis="y", which="minor", length=0)
    axes.set_xlabel("confidence of the answer")
    axes.set_ylabel("images")
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0))


def robustness(curve: Curve) -> Figure:
    """Accuracy with its interval at each strength, and under it one image changed so."""
    made = Figure(figsize=(3.6, 2.5))
    axes = dress(made.add_axes((0.135, 0.315, 0.855, 0.555)))
    x = np.arange(len(curve.strengths))
    low, high = zip(*curve.interval, strict=True)
    axes.fill_between(x, low, high, color=ACCENT, alpha=0.18, linewidth=0)
    axes.plot(x, curve.accuracy, color=ACCENT, marker="o", markersize=4, linewidth=1.8)
    axes.set(xlim=(-0.5, len(x) - 0.5), ylim=(0, 1.03))
    axes.set_xticks(x, [f"{s:g}" for s in curve.strengths])
    axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
    axes.axvline(curve.strengths.index(curve.neutral), color=LINE, linewidth=8, zorder=0)
    title(axes, f"{curve.title}, {curve.unit}")
    _strip(made, curve.examples)
    return made


def _strip(made: Figure, examples: Sequence[str]) -> None:
    axes = made.add_axes((0.135, 0.0, 0.855, 0.18))
    axes.axis("off")
    for i, png in enumerate(examples):
        image = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))
        axes.imshow(image, extent=(i - 0.44, i + 0.44, 0, 0.88), interpolation="none")
    axes.set(xlim=(-0.5, len(examples) - 0.5), ylim=(0, 0.88), aspect="equal", anchor="C")


def rejection(found: Rejection, stranger: StrangerFigures) -> Figure:
    """Energy of known images against that of one kind of stranger; the threshold between."""
    made, axes = figure(3.6, 1.9)
    edges = np.array(found.edges)
    width = np.diff(edges)
    axes.bar(edges[:-1], found.histogram, width, align="edge", color=BAR, label="known")
    axes.bar(
        edges[:-1],
        stranger.histogram,
        width,
        align="edge",
        color=ACCENT,
        alpha=0.72,
        label="strangers",
    )
    if found.threshold is not None:
        axes.axvline(found.threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.set_position((0.0, 0.24, 1.0, 0.74))
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_xlabel("energy")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.12 * max(0.02, *_heights(found.histogram, stranger.histogram)))
    return made


def _heights(*histograms: Sequence[float]) -> list[float]:
    """A histogram of blank images is one needle: it may leave the frame, the others may not."""
    return [min(max(values), 0.35) for values in histograms]


def writers(shares: Sequence[Share]) -> Figure:
    """A dot a writer, from the worst to the best read; its area grows with the characters."""
    made, axes = figure(4.6, 3.4)
    ordered = sorted(shares, key=lambda share: (share.accuracy, share.n))
    sizes = [8 + 0.8 * share.n for share in ordered]
    accuracies = [share.accuracy for share in ordered]
    axes.scatter(range(len(ordered)), accuracies, sizes, color=ACCENT, alpha=0.55, linewidths=0)
    axes.set_xticks([])
    axes.set_ylim(min(0.8, *accuracies) - 0.05, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
    axes.set_xlabel(f"{counted(len(ordered), 'writer')}, from the worst to the best read")
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(labelcolor=QUIET)
    return made
