"""A data set's report as files: report.html, data.json, classes.png, counts.png.

write(Examined, folder) -> Path of the page, which opens from disk and needs nothing else
"""

import base64
import io
import json
import os
import shlex
from pathlib import Path

import numpy as np
import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from training.data_report import EXAMPLES, DataReport, Examined, examples, mean_image
from training.plots import ACCENT, BAR, INK, QUIET, SURFACE, dress, png, svg

TEMPLATES = Path(__file__).parent / "templates"

GAP = 3
"""Pixels between two pictures, at the sheet's scale."""

_COLUMN = 32
"""Classes under one another on the sheet before a second column begins."""


def write(found: Examined, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    made = counts(found.report)
    png(made, folder / "counts.png")
    sheet(found).save(folder / "classes.png", "PNG", optimize=True)
    _replace(folder / "data.json", json.dumps(_plain(found.report), indent=1) + "\n")
    _replace(folder / "report.html", render(found, made))
    return folder / "report.html"


def render(found: Examined, plot: Figure) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        count=lambda n: f"{n:,}", figure=lambda x: f"{x:.4f}", quoted=shlex.quote
    )
    report = found.report
    rows = [(name, _strip(found, label)) for label, name in enumerate(report.labels)]
    return environment.get_template("data.html").render(
        r=report,
        first=next(iter(report.splits.values())),
        rows=rows,
        # Marked as safe: it is drawn here, and matplotlib escapes the text in it.
        plot=Markup(svg(plot, "Images of each class in each split")),
    )


def counts(report: DataReport) -> Figure:
    """Images of each class; bars stand where the names are short, and lie where they are long."""
    names = list(report.labels)
    standing = max(map(len, names)) <= 2
    across = 1.2 + 0.26 * len(names) * len(report.splits)
    down = 0.8 + 0.17 * len(names) * len(report.splits)
    size = (min(max(across, 6.4), 15), 3.2) if standing else (6.8, max(down, 2))
    made = Figure(figsize=size, layout="constrained")
    axes = dress(made.subplots())
    _bars(axes, report, standing)
    (axes.set_xticks if standing else axes.set_yticks)(range(len(names)), names)
    thousands = FuncFormatter(lambda value, _: f"{value:,.0f}")
    (axes.yaxis if standing else axes.xaxis).set_major_formatter(thousands)
    if standing:
        axes.margins(x=0.02)
    else:
        axes.margins(y=0.02)
    axes.tick_params(labelcolor=QUIET)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, loc="lower left", ncols=2,
                bbox_to_anchor=(0, 1), borderaxespad=0.2, handlelength=1)  # fmt: skip
    return made


def _bars(axes: Axes, report: DataReport, standing: bool) -> None:
    place = np.arange(len(report.labels))
    thick = 0.8 / len(report.splits)
    for i, (split, facts) in enumerate(report.splits.items()):
        offset = (i - (len(report.splits) - 1) / 2) * thick
        values = list(facts.counts.values())
        colour = BAR if split == "train" else ACCENT
        label = f"{split}, {facts.n:,}"
        if standing:
            axes.bar(place + offset, values, thick * 0.9, color=colour, label=label)
        else:
            axes.barh(place + offset, values, thick * 0.9, color=colour, label=label)
    if not standing:
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x", color="#e4dfd7", linewidth=0.8)
        axes.spines["bottom"].set_visible(False)


def sheet(found: Examined) -> Image.Image:
    """A row a class: its name, the mean of its images, then some of them."""
    report = found.report
    scale = max(1, round(56 / max(report.height, report.width)))
    strips = [_strip_image(found, label, scale) for label in range(len(report.labels))]
    font = ImageFont.load_default(22)
    margin = 24
    label_width = int(max(font.getlength(name) for name in report.labels)) + 20
    width, height = max(strip.width for strip in strips), strips[0].height + 8
    columns = -(-len(strips) // _COLUMN)
    rows = -(-len(strips) // columns)
    across = label_width + width + margin
    made = Image.new("RGB", (columns * across + margin, rows * height + 2 * margin), SURFACE)
    draw = ImageDraw.Draw(made)
    for i, (name, strip) in enumerate(zip(report.labels, strips, strict=True)):
        left, top = margin + (i // rows) * across, margin + (i % rows) * height
        draw.text((left, top + strip.height / 2), name, fill=INK, font=font, anchor="lm")
        made.paste(strip, (left + label_width, top), strip)
    return made


def _strip(found: Examined, label: int) -> str:
    """As PNG in base64, a pixel a pixel."""
    buffer = io.BytesIO()
    _strip_image(found, label, 1).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _strip_image(found: Examined, label: int, scale: int) -> Image.Image:
    """The mean, a wider gap, then examples; clear where a class has fewer."""
    report = found.report
    across, down = report.width * scale, report.height * scale
    gap = GAP if scale > 1 else 1
    made = Image.new("RGBA", ((across + gap) * (EXAMPLES + 1) + 2 * gap, down), (0, 0, 0, 0))
    mean = mean_image(found.shown, label)
    if mean is not None:
        made.paste(_enlarged(mean, scale), (0, 0))
    for i, image in enumerate(examples(found.shown, label)):
        made.paste(_enlarged(image, scale), ((i + 1) * (across + gap) + 3 * gap - gap, 0))
    return made


def _enlarged(pixels: Tensor, scale: int) -> Image.Image:
    grown = pixels.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    colour = grown.expand(3, -1, -1) if len(grown) == 1 else grown
    return Image.fromarray(np.ascontiguousarray(torch.movedim(colour, 0, -1).numpy()))


def _plain(report: DataReport) -> dict[str, object]:
    """Without pictures, which the page has."""
    values = report.model_dump(mode="json")
    for pair in values["pairs"]:
        del pair["png"]
    return values


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
