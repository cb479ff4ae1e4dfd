"""A sweep as a picture: accuracy of each setting, every replicate a point, mean and deviation.

The first factor is the horizontal axis, the others are colours. Numbers that span decades stand on
a log axis, other numbers on a linear one, everything else side by side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter
from matplotlib.transforms import ScaledTranslation

from training.counted import counted
from training.plots import INK, QUIET
from training.sweep.results import Results, Summary

COLOURS = ("#3b5bdb", "#e8590c", "#2b8a3e", "#9c36b5", "#c2255c", "#1098ad", "#846358", "#495057")
GRID, FAILED = "#e7eaf0", "#c92a2a"

_DECADES = 30.0
"""From this ratio of the largest to the smallest value on, a linear axis hides the small ones."""

_WIDE = 0.2
"""From this spread of accuracies on, the axis is that of the logit, so that 98 and 99 % part."""

_BESIDE = 6 / 72
"""Inches between the bar of a mean and the points that it is the mean of."""

_LOGIT_TICKS = (
    0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999
)  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """Where each value of a factor stands. ``line``: whether to join neighbours means anything."""

    position: dict[str, float]
    line: bool

    @property
    def gap(self) -> float:
        """Between the two nearest values."""
        places = sorted(self.position.values())
        return min((b - a for a, b in pairwise(places)), default=1.0)


def scale(values: Sequence[str]) -> Scale:
    numbers = [_number(value) for value in values]
    known = [n for n in numbers if n is not None]
    if len(known) < len(values):
        return Scale({value: float(i) for i, value in enumerate(values)}, line=False)
    if min(known) > 0 and max(known) / min(known) >= _DECADES:
        return Scale(dict(zip(values, map(math.log10, known), strict=True)), line=True)
    if min(known) == 0 and max(known) / min([n for n in known if n > 0], default=1) >= _DECADES:
        # Zero has no place on a log axis, and on a linear one its neighbours would touch it.
        order = sorted(values, key=float)
        return Scale({value: float(i) for i, value in enumerate(order)}, line=True)
    return Scale(dict(zip(values, known, strict=True)), line=True)


def draw(results: Results, path: Path) -> None:
    picture(results).savefig(path, dpi=150, format="png")


def picture(results: Results) -> Figure:
    """Settings of which something did not end are marked at its foot."""
    key, *others = results.factors
    axis = scale(results.factors[key])
    groups = list(dict.fromkeys(_group(s.setting, others) for s in results.summary))
    step = 0.0 if len(groups) == 1 else min(0.18, 0.7 / len(groups))
    width = max(7.2, 1.6 + 0.3 * len(axis.position) * len(groups) ** 0.7)
    figure = Figure(figsize=(width, 4.3), layout="constrained")
    axes = figure.subplots()
    for number, group in enumerate(groups):
        shift = (number - (len(groups) - 1) / 2) * step * axis.gap
        rows = [s for s in results.summary if _group(s.setting, others) == group]
        rows.sort(key=lambda s: axis.position[s.setting[key]])
        xs = [axis.position[s.setting[key]] + shift for s in rows]
        _series(axes, xs, rows, results, _colour(number, len(groups)), group, axis.line)
        if len(groups) == 1:
            _write_means(axes, xs, rows, results)
    _vertical(axes, results)
    _horizontal(axes, key, axis)
    _titles(axes, results)
    if others:
        axes.legend(
            title=", ".join(others), frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0),
            labelcolor=INK, title_fontproperties={"size": 9}, alignment="left",
        )  # fmt: skip
    return figure


def _series(
    axes: Axes,
    xs: Sequence[float],
    rows: Sequence[Summary],
    results: Results,
    colour: str,
    group: str,
    line: bool,
) -> None:
    there = [(x, s.mean, s.sd or 0.0) for x, s in zip(xs, rows, strict=True) if s.mean is not None]
    if there:
        places, mean, sd = map(np.array, zip(*there, strict=True))
        axes.errorbar(
            places, mean, yerr=[np.minimum(sd, mean), np.minimum(sd, 1 - mean)],
            color=colour, ecolor=colour, elinewidth=1.6, capsize=4, capthick=1.6,
            linestyle="-" if line else "none", linewidth=1.4, marker="o", markersize=7,
            markeredgecolor="white", markeredgewidth=1.2, label=group, zorder=3,
        )  # fmt: skip
    figure = axes.get_figure(root=True)
    assert figure is not None
    beside = ScaledTranslation(-_BESIDE, 0, figure.dpi_scale_trans)
    for x, row in zip(xs, rows, strict=True):
        points = _points(results, row)
        if len(points) > 1:
            axes.scatter(
                [x] * len(points), points, s=16, color=colour, alpha=0.5, linewidth=0, zorder=2,
                transform=axes.transData + beside,
            )  # fmt: skip
        _mark_failures(axes, x, row)


def _write_means(
    axes: Axes, xs: Sequence[float], rows: Sequence[Summary], results: Results
) -> None:
    """Above all that is drawn of a setting, where no line runs through the number."""
    for x, row in zip(xs, rows, strict=True):
        if row.mean is None:
            continue
        top = max([row.mean + (row.sd or 0.0), *_points(results, row)])
        axes.annotate(
            f"{100 * row.mean:.2f}", (x, min(top, 1.0)), (0, 6), textcoords="offset points",
            fontsize=8, color=INK, ha="center", zorder=4,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )  # fmt: skip


def _points(results: Results, row: Summary) -> list[float]:
    cells = [cell for cell in results.cells if cell.setting == row.setting]
    return [c.validation_accuracy for c in cells if c.validation_accuracy is not None]


def _mark_failures(axes: Axes, x: float, row: Summary) -> None:
    lost = row.diverged + row.failed
    if not lost:
        return
    foot = axes.get_xaxis_transform()
    axes.plot(
        [x], [0.035], marker="x", color=FAILED, markersize=6, markeredgewidth=1.6, transform=foot
    )
    word = "diverged" if row.diverged else "failed"
    axes.text(
        x, 0.075, f"{lost} of {lost + row.n}\n{word}", transform=foot, fontsize=7, color=FAILED,
        ha="center", va="bottom", linespacing=1.1,
    )  # fmt: skip


def _vertical(axes: Axes, results: Results) -> None:
    found = [c.validation_accuracy for c in results.cells if c.validation_accuracy is not None]
    found += [s.mean + sign * s.sd for s in results.summary if s.mean and s.sd for sign in (-1, 1)]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    lost = any(s.diverged or s.failed for s in results.summary)
    decimals = 3 if high - low < 0.0006 else 2 if high - low < 0.04 else 1
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals, symbol=" %"))
    if found and high - low >= _WIDE:
        axes.set_yscale("function", functions=(_logit, _expit))
        axes.yaxis.set_major_locator(FixedLocator(_LOGIT_TICKS))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")
        low, high = float(_logit(np.array(low))), float(_logit(np.array(high)))
    room = max(high - low, 1e-3)
    ends = low - room * (0.3 if lost else 0.1), high + room * 0.16
    if axes.get_yscale() == "function":
        ends = float(_expit(np.array(ends[0]))), float(_expit(np.array(ends[1])))
    axes.set_ylim(max(ends[0], 0.0), min(ends[1], 1.0))
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(QUIET)
    axes.tick_params(axis="y", length=0, labelcolor=INK)


def _horizontal(axes: Axes, key: str, axis: Scale) -> None:
    names, places = list(axis.position), list(axis.position.values())
    steep = not axis.line and max(map(len, names)) * len(names) > 70
    axes.set_xticks(places, names, rotation=30 if steep else 0, ha="right" if steep else "center")
    axes.set_xlim(min(places) - 0.5 * axis.gap, max(places) + 0.5 * axis.gap)
    axes.tick_params(axis="x", color=QUIET, labelcolor=INK)
    axes.set_xlabel(key, color=INK)


def _titles(axes: Axes, results: Results) -> None:
    fit = results.recipe.fit
    several = results.replicates > 1
    what = f"mean and standard deviation of {results.replicates}" if several else "one"
    each = "trainings each" if several else "training each"
    dots = ", each a small dot" if several else ""
    epochs = "" if "fit.epochs" in results.factors else f", after {counted(fit.epochs, 'epoch')}"
    axes.set_title(
        f"{results.recipe.name}: accuracy on the validation images",
        loc="left", color=INK, fontsize=12, pad=24,
    )  # fmt: skip
    axes.text(
        0, 1.035, f"{what} {each}{dots}{epochs}",
        transform=axes.transAxes, color=QUIET, fontsize=9,
    )  # fmt: skip


def _colour(number: int, of: int) -> str:
    if of <= len(COLOURS):
        return COLOURS[number]
    red, green, blue, _ = colormaps["viridis"](0.9 * number / (of - 1))
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _group(setting: dict[str, str], others: Sequence[str]) -> str:
    return ", ".join(setting[other] for other in others)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _logit(share: np.ndarray) -> np.ndarray:
    inside = np.clip(share, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(inside / (1 - inside)))


def _expit(value: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-value)))
