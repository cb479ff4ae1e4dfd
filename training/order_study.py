"""What the order of shuffle, batch and repeat does to training, on data that lies sorted by class.

study(recipe, ...) -> Study     trains the recipe once for each order, all else equal
write(study, folder)            order.json and order.png
"""

import math
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from torch import Tensor

from glyphscope.spec import Frozen
from training import data, experiment, order
from training.fit import Diverged
from training.observe import Observer, Step
from training.plots import ACCENT, BAR, INK, LINE, QUIET, SURFACE, dress, png
from training.recipe import OrderRecipe, Recipe
from training.session import Session

ORDERS: tuple[tuple[str, ...], ...] = (
    ("shuffle", "batch", "repeat"),
    ("shuffle", "repeat", "batch"),
    ("repeat", "shuffle", "batch"),
    ("batch", "shuffle", "repeat"),
    ("batch", "repeat", "shuffle"),
    ("repeat", "batch", "shuffle"),
    ("batch", "repeat"),
)

Told = Callable[[str, int, int], None]
"""(name of the order, step, steps in all), after every step."""


class Curve(Frozen):
    """``losses``: every step's. ``accuracy``: on validation, every epoch's. ``shares``: a row a
    class, a column a batch, the share that the class has of it. ``ended``: why, if too early."""

    title: str
    order: OrderRecipe
    losses: tuple[float, ...]
    accuracy: tuple[float, ...]
    shares: tuple[tuple[float, ...], ...]
    ended: str = ""


class Study(Frozen):
    recipe: Recipe
    images: int
    labels: tuple[str, ...]
    steps: int
    curves: tuple[Curve, ...]


class _Losses(Observer):
    def __init__(self, title: str, told: Told, epochs: int) -> None:
        self.title, self.told, self.epochs = title, told, epochs
        self.found: list[Tensor] = []

    def stepped(self, session: Session, step: Step) -> None:
        self.found.append(step.loss)
        self.told(self.title, step.overall, self.epochs * step.steps)


def study(
    recipe: Recipe,
    root: Path,
    device: torch.device,
    runs: Path,
    buffer: int,
    told: Told = lambda title, step, steps: None,
) -> Study:
    """One training an order, of one seed; the first shuffles with a buffer that holds all."""
    train, _ = experiment.splits(recipe, root)
    labels = order.arrange(train, OrderRecipe(by_class=True)).labels
    classes = data.source(recipe.dataset).labels
    curves = []
    for how in _orders(len(train), buffer):
        named = recipe.model_copy(update={"name": _name(how), "order": how})
        title = _title(how, len(train))
        curves.append(_train(named, title, labels, len(classes), (root, device, runs), told))
    size = min(recipe.fit.batch_size, len(train))
    return Study(
        recipe=recipe,
        images=len(train),
        labels=classes,
        steps=len(train) // size,
        curves=tuple(curves),
    )


def _orders(n: int, buffer: int) -> list[OrderRecipe]:
    every = [(ORDERS[0], n), *((stages, buffer) for stages in ORDERS)]
    return [
        OrderRecipe.model_validate({"pipeline": stages, "buffer": size, "by_class": True})
        for stages, size in every
    ]


def _title(how: OrderRecipe, n: int) -> str:
    def say(stage: str) -> str:
        if stage != "shuffle":
            return stage
        return "shuffle all" if how.buffer >= n else f"shuffle {how.buffer:,}"

    return ", ".join(say(stage) for stage in how.pipeline or ())


def _name(how: OrderRecipe) -> str:
    return "-".join(["order", *(how.pipeline or ()), str(how.buffer)])


def _train(
    recipe: Recipe,
    title: str,
    labels: Tensor,
    classes: int,
    place: tuple[Path, torch.device, Path],
    told: Told,
) -> Curve:
    root, device, runs = place
    watcher = _Losses(title, told, recipe.fit.epochs)
    accuracy: tuple[float, ...] = ()
    ended = ""
    try:
        run = experiment.run_recipe(recipe, root, device, runs, observers=[watcher])
        accuracy = tuple(round(epoch.validation_accuracy, 6) for epoch in run.history())
    except Diverged as error:
        ended = str(error)
    losses = takewhile(math.isfinite, [float(loss) for loss in watcher.found])
    return Curve(
        title=title,
        order=recipe.order,
        losses=tuple(round(loss, 5) for loss in losses),
        accuracy=accuracy,
        shares=_shares(recipe, labels, classes),
        ended=ended,
    )


def _shares(recipe: Recipe, labels: Tensor, classes: int) -> tuple[tuple[float, ...], ...]:
    """Which classes are in which batch: the very batches that were trained on."""
    unused = torch.Generator()
    columns = [
        torch.bincount(labels[index], minlength=classes) / len(index)
        for epoch in range(1, recipe.fit.epochs + 1)
        for index in order.batches(
            len(labels), recipe.order, recipe.fit.batch_size, unused, seed=recipe.seed, epoch=epoch
        )
    ]
    rows = torch.stack(columns, 1).tolist()
    return tuple(tuple(round(share, 3) for share in row) for row in rows)


def write(found: Study, folder: Path) -> Path:
    """Gives the path of the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "order.json").write_text(found.model_dump_json(indent=1) + "\n")
    png(plot(found), folder / "order.png")
    return folder / "order.png"


def plot(found: Study) -> Figure:
    """A row an order: which classes its batches hold, the loss, the validation accuracy."""
    rows = len(found.curves)
    made = Figure(figsize=(11.6, 0.9 + 1.18 * rows), layout="constrained")
    grid = made.subplots(rows, 3, sharex="col", sharey="col", width_ratios=(1.5, 1.5, 1))
    losses = [loss for curve in found.curves for loss in curve.losses if loss > 0] or [1.0]
    for curve, (left, middle, right) in zip(found.curves, grid, strict=True):
        _classes(dress(left), curve, found)
        _losses(dress(middle), curve, found, (min(losses), max(losses)))
        _accuracy(dress(right), curve)
    for axes, text in zip(
        grid[0], ("Classes in each batch", "Training loss of each batch", "Validation accuracy"),
        strict=True,
    ):  # fmt: skip
        axes.annotate(
            text, (0, 1), (0, 24), xycoords="axes fraction", textcoords="offset points",
            color=INK, fontsize=11.5, fontweight="bold",
        )  # fmt: skip
    for axes, text in zip(grid[-1], ("step", "step", "epoch"), strict=True):
        axes.set_xlabel(text)
    return made


def _classes(axes: Axes, curve: Curve, found: Study) -> None:
    shares = np.array(curve.shares)
    colours = LinearSegmentedColormap.from_list("share", [SURFACE, "#e9b7a4", ACCENT])
    extent = (0.5, shares.shape[1] + 0.5, len(shares) - 0.5, -0.5)
    # The square root, so that the tenth that each class has of a mixed batch is seen.
    axes.imshow(shares**0.5, cmap=colours, vmin=0, vmax=1, aspect="auto", extent=extent)
    axes.grid(visible=False)
    axes.set_yticks([0, len(shares) - 1], [found.labels[0], found.labels[-1]])
    axes.set_title(curve.title, loc="left", color=QUIET, fontsize=9.5, pad=4)
    _epochs(axes, found)


def _losses(axes: Axes, curve: Curve, found: Study, limits: tuple[float, float]) -> None:
    steps = np.arange(1, len(curve.losses) + 1)
    axes.plot(steps, curve.losses, color=ACCENT, linewidth=0.6)
    axes.set_yscale("log")
    axes.set_ylim(max(limits[0], 1e-4) / 1.3, limits[1] * 1.3)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(which="minor", length=0)
    _epochs(axes, found)
    if curve.ended:
        axes.set_title("diverged", loc="left", color=ACCENT, fontsize=9.5, pad=4)


def _epochs(axes: Axes, found: Study) -> None:
    for epoch in range(1, found.recipe.fit.epochs):
        axes.axvline(epoch * found.steps + 0.5, color=BAR, linewidth=0.8)


def _accuracy(axes: Axes, curve: Curve) -> None:
    epochs = range(1, len(curve.accuracy) + 1)
    axes.plot(epochs, curve.accuracy, color=ACCENT, marker="o", markersize=3.5, linewidth=1.5)
    axes.set_ylim(0, 1.08)
    axes.set_yticks([0, 0.5, 1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=LINE)
    if curve.accuracy:
        axes.set_title(f"{100 * curve.accuracy[-1]:.1f} % at the end", loc="right",
                       color=INK, fontsize=9.5, pad=4)  # fmt: skip


def lines(found: Study) -> list[tuple[str, str, str]]:
    """(order, accuracy at the end, classes in a batch on average) for a table."""
    return [
        (
            curve.title,
            f"{curve.accuracy[-1]:.2%}" if curve.accuracy else "diverged",
            f"{_present(curve):.1f}",
        )
        for curve in found.curves
    ]


def _present(curve: Curve) -> float:
    return float((np.array(curve.shares) > 0).sum(0).mean())
