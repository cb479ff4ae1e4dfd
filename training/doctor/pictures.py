"""A picture for each finding: the figure that shows it, with the lines it is judged by.

PICTURES: dict[name, (Record, Finding) -> Figure]; ``Ailment.picture`` names one.
"""

import math
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from training.doctor.canvas import (
    across,
    figure,
    grid,
    horizontal,
    line,
    log,
    running_median,
    shaped,
    short,
    spaced,
)
from training.doctor.figures import root_mean_square, smoothed, update_ratios
from training.doctor.findings import Finding
from training.doctor.record import Record
from training.doctor.stream import fingerprints
from training.plots import ACCENT, BAR, INK, LINE, QUIET, dress, title

Draw = Callable[[Record, Finding], Figure]


def loss(record: Record, finding: Finding) -> Figure:
    """Every step thin, a running median thick; ln K and, where there is one, the floor."""
    made, axes = figure(7.2, 3.2)
    every = np.array(record.losses, dtype=float)
    finite = np.isfinite(every)
    steps, values = np.arange(1, len(every) + 1)[finite], every[finite]
    axes.plot(steps, values, color=BAR, linewidth=0.9)
    axes.plot(steps, running_median(values, max(3, len(values) // 25)), color=ACCENT, lw=1.8)
    lines = {}
    if record.classes > 1:
        lines[math.log(record.classes)] = f"ln {record.classes} = {math.log(record.classes):.3f}"
    if floor := finding.numbers.get("floor", 0.0):
        lines[floor] = f"floor {floor:.3f}"
    if len(values) and values.min() > 0 and values.max() > 8 * max([*lines, values[0]]):
        log(axes)
    else:
        axes.set_ylim(bottom=min(0.0, float(values.min(initial=0))))
    for level, said in lines.items():
        line(axes, level, said, above=level != floor)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not finite.all():
        lost = int(np.argmin(finite)) + 1
        axes.axvline(lost, color=INK, linewidth=0.8, linestyle=":")
        axes.annotate("not finite from here", (lost, 0.9), (-5, 0), xycoords=across(axes),
                      textcoords="offset points", ha="right", fontsize=8, color=QUIET)  # fmt: skip
    axes.set_xlabel(record.unit)
    title(axes, f"Loss of each {record.unit}, and its running median")
    return made


def order(record: Record, _: Finding) -> Figure:
    made, axes = figure(7.2, 2.8)
    labels = record.stream.labels[:2000]
    axes.plot(range(1, len(labels) + 1), labels, ".", color=ACCENT, markersize=2.5)
    axes.set_xlabel("image, as it came to the network")
    axes.set_ylabel("label")
    title(axes, "Labels in the order they were trained on")
    return made


def labels(record: Record, _: Finding) -> Figure:
    made, axes = figure(7.2, 2.8)
    low, high = record.label_range or (0, 0)
    k = record.classes
    axes.barh([1], [k - 1], left=0, height=0.34, color=BAR)
    axes.barh([0], [high - low], left=low, height=0.34, color=ACCENT)
    axes.set_yticks([1, 0], [f"outputs: 0 to {k - 1}", f"labels: {low} to {high}"])
    axes.set_ylim(-0.6, 1.6)
    axes.grid(axis="x", color=LINE)
    axes.grid(False, axis="y")
    title(axes, "Which classes there are")
    return made


def examples(record: Record, _: Finding) -> Figure:
    shown = list(zip(record.stream.shown, record.stream.small_labels, strict=False))
    return grid([image for image, _ in shown], [f"{label}" for _, label in shown],
                 "Images as the network gets them, and the label of each")  # fmt: skip


def leak(record: Record, _: Finding) -> Figure:
    known = record.training_prints | record.stream.prints.keys()
    twice = [
        image
        for batch in record.validation.batches
        for image, key in zip(batch, fingerprints(batch), strict=True)
        if key in known
    ]
    return grid(twice[:16], [], "Validation images that were trained on")


def inputs(record: Record, _: Finding) -> Figure:
    made, axes = figure(7.2, 2.8)
    values = record.inputs.values
    axes.hist([] if values is None else values.numpy(), bins=60, color=ACCENT, log=True)
    axes.axvspan(-1, 1, color=BAR, alpha=0.45, linewidth=0)
    axes.set_xlabel("value of an input; the grey band is -1 to 1")
    axes.set_ylabel("how many, log scale")
    title(axes, f"Input: mean {record.inputs.mean:.3g}, deviation {record.inputs.std:.3g}")
    return made


def gradient_norm(record: Record, _: Finding) -> Figure:
    made, axes = figure(7.2, 2.8)
    measured = [(i, s) for i, s in enumerate(record.steps, 1) if s.gradients]
    norms = [math.hypot(*step.gradients.values()) for _, step in measured]
    if max(norms, default=0) > 100 * max(norms[0], 1e-9):
        log(axes)
    axes.plot([i for i, _ in measured], norms, color=ACCENT, linewidth=1.8)
    axes.set_xlabel(record.unit)
    title(axes, "Norm of the gradient that the optimiser is given")
    return made


def parameters(record: Record, finding: Finding) -> Figure:
    """What takes part: the weights that an optimiser moves, and those that stand still."""
    still = set(finding.numbers.get("names", ()))
    moved = [(w.name, w.units * w.fan_in, w.name in still) for w in record.weights]
    known = {w.name for w in record.weights}
    rows = [*((n, size, True) for n, size in record.wiring.missing if n not in known), *moved]
    made, axes = figure(7.2, 1.0 + 0.3 * len(rows))
    places = np.arange(len(rows))[::-1]
    colours = [ACCENT if stands else BAR for _, _, stands in rows]
    axes.barh(places, [size for _, size, _ in rows], color=colours, height=0.55)
    axes.set_yticks(places, [short(name) for name, _, _ in rows])
    axes.set_xscale("log")
    axes.set_xlim(left=0.6)
    horizontal(axes)
    axes.set_xlabel("weights; coloured: not changed by any step")
    title(axes, "Parameters")
    return made


def chain(record: Record, _: Finding) -> Figure:
    pairs = record.wiring.rows[:4]
    made, axes = figure(7.2, 0.6 + 0.75 * len(pairs))
    axes.set_axis_off()
    for row, (a, b) in enumerate(reversed(pairs)):
        for x, name in ((0.24, a), (0.76, b)):
            axes.text(x, row, name, ha="center", va="center", color=INK, fontsize=10,
                      bbox={"boxstyle": "round,pad=0.6", "fc": "none", "ec": BAR})  # fmt: skip
        axes.annotate(
            "", (0.62, row), (0.38, row), arrowprops={"arrowstyle": "->", "color": ACCENT}
        )
        axes.text(0.5, row + 0.16, "no activation", ha="center", color=ACCENT, fontsize=9)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, len(pairs) - 0.4)
    return made


def units(record: Record, _: Finding) -> Figure:
    made, axes = figure(7.2, 0.9 + 0.42 * len(record.weights))
    places = np.arange(len(record.weights))[::-1]
    axes.barh(places, [w.units for w in record.weights], color=LINE, height=0.5)
    axes.barh(places, [w.distinct for w in record.weights], color=ACCENT, height=0.5)
    for place, w in zip(places, record.weights, strict=True):
        said = f"{w.distinct} of {w.units}"
        axes.text(w.units, place, f"  {said}", va="center", color=QUIET, fontsize=9)
    axes.set_yticks(places, [shaped(w) for w in record.weights])
    horizontal(axes)
    axes.set_xlim(0, 1.15 * max(w.units for w in record.weights))
    title(axes, "Units that differ from each other at the start")
    return made


def gains(record: Record, _: Finding) -> Figure:
    made, axes = figure(7.2, 1.3 + 0.36 * len(record.weights))
    places = np.arange(len(record.weights))[::-1]
    values = [max(w.gain, 1e-6) for w in record.weights]
    axes.plot(values, places, "o", color=ACCENT, markersize=7)
    axes.set_xscale("log")
    axes.axvspan(0.5, 1.5, color=BAR, alpha=0.35, linewidth=0)
    axes.set_xlim(min(0.2, min(values) / 2), max(5.0, max(values) * 2))
    axes.set_ylim(-0.7, len(values) - 0.3)
    axes.set_yticks(places, [shaped(w) for w in record.weights])
    horizontal(axes)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("deviation x sqrt(inputs); grey: PyTorch's default 0.58, Glorot 1, He 1.4")
    title(axes, "How large the weights start")
    return made


def activations(record: Record, _: Finding) -> Figure:
    """Before the first step grey, at the last measured one coloured."""
    layers = spaced([layer for layer in record.layers.values() if not layer.answers])
    made = Figure(figsize=(7.2, 2.7), layout="constrained")
    made.get_layout_engine().set(w_pad=0.12)  # type: ignore[union-attr,call-arg]
    for axes, layer in zip(np.ravel(made.subplots(1, len(layers))), layers, strict=True):
        dress(axes)
        late = layer.late[-1]
        values = np.concatenate([layer.first.values.numpy(), late.values.numpy()])
        low, high = np.nanpercentile(values[np.isfinite(values)], [0, 99.5])
        bins = np.linspace(low, high if high > low else low + 1, 32)
        axes.hist(layer.first.values.numpy(), bins, color=BAR, alpha=0.75)
        axes.hist(late.values.numpy(), bins, color=ACCENT, histtype="step", linewidth=1.5)
        axes.set_yticks([])
        dead = float((~late.active).float().mean())
        axes.set_xlabel(f"{dead:.0%} dead" if layer.kind == "relu" else f"{late.extreme:.0%} flat")
        title(axes, layer.name)
    return made


def gradients(record: Record, _: Finding) -> Figure:
    made, axes = figure(7.2, 3.0)
    measured = [root_mean_square(record, s) for s in record.steps if s.gradients] or [{}]
    for values, colour, said in ((measured[-1], BAR, "last"), (measured[0], ACCENT, "first step")):
        shown = [value if value > 0 else math.nan for value in values.values()]
        axes.plot(range(len(shown)), shown, "o-", color=colour, markersize=4, label=said)
    log(axes)
    names = [short(name) for name in measured[0]]
    axes.set_xticks(range(len(names)), names, rotation=30 if len(names) > 5 else 0)
    axes.legend(frameon=False, fontsize=9, labelcolor=QUIET)
    title(axes, "Gradient of each layer's weights, root mean square")
    return made


def updates(record: Record, _: Finding) -> Figure:
    made, axes = figure(7.2, 3.0)
    measured = [(i, update_ratios(s)) for i, s in enumerate(record.steps, 1) if s.updates]
    names = [w.name for w in record.weights]
    for place, name in enumerate(names):
        points = [(i, r[name]) for i, r in measured if r.get(name, 0) > 0]
        last = place == len(names) - 1
        axes.plot(
            [i for i, _ in points],
            [r for _, r in points],
            color=ACCENT if last else BAR,
            alpha=1 if last else 0.4 + 0.6 * place / len(names),
            linewidth=1.4,
        )
    log(axes)
    line(axes, 1e-3, "1/1000, as usual")
    axes.set_xlabel("step; one line a layer, the last one coloured")
    title(axes, "Change of the weights in a step, over their size")
    return made


def held_out(record: Record, _: Finding) -> Figure:
    made, axes = figure(7.2, 3.2)
    values = np.array(record.losses)
    training = running_median(values, max(5, len(values) // 20))
    axes.plot(range(1, len(values) + 1), training, color=BAR, linewidth=1.8)
    points = [(h.step, h.loss) for h in record.held_out]
    axes.plot(*zip(*points, strict=True), color=ACCENT, linewidth=1, alpha=0.5)
    axes.plot(*zip(*smoothed(record), strict=True), color=ACCENT, linewidth=1.8)
    step, level = min(smoothed(record), key=lambda point: point[1])
    axes.plot([step], [level], "o", color=ACCENT)
    axes.annotate("lowest", (step, level), (4, -13), textcoords="offset points", fontsize=9,
                  color=QUIET)  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.set_xlabel(record.unit)
    title(axes, "Loss: training grey, held-out images coloured")
    return made


PICTURES: dict[str, Draw] = {
    "loss": loss,
    "order": order,
    "labels": labels,
    "examples": examples,
    "leak": leak,
    "inputs": inputs,
    "gradient-norm": gradient_norm,
    "parameters": parameters,
    "chain": chain,
    "units": units,
    "gains": gains,
    "activations": activations,
    "gradients": gradients,
    "updates": updates,
    "held-out": held_out,
}
