"""The report of an evaluation: one HTML file with its plots and pictures in it, for any browser.

render(Record) -> str      needs nothing but the record; opens from disk, without a network
"""

import json
import math
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training import evaluation_plots as draw
from training.plots import draw_error, draw_loss, figure, svg
from training.record import Record
from training.run import Epoch

TEMPLATES = Path(__file__).parent / "templates"

FILES = {"test": "report.html", "validation": "validation.html"}


def write(record: Record, folder: Path) -> Path:
    path = folder / FILES[record.split]
    part = path.with_name(path.name + ".part")
    part.write_text(render(record), encoding="utf-8")
    os.replace(part, path)
    return path


def render(record: Record) -> str:
    aurocs = [s.auroc_energy for s in record.rejection.strangers]
    best = max(record.history, key=lambda e: (e.validation_accuracy, e.epoch), default=None)
    return (
        _environment()
        .get_template("report.html")
        .render(
            r=record,
            names=[c.name for c in record.classes],
            images={c.name: c.n for c in record.classes},
            wrong=round(record.metrics.n * (1 - record.metrics.accuracy)),
            chance_loss=math.log(len(record.classes)),
            mean_auroc=sum(aurocs) / len(aurocs),
            weakest=min(record.rejection.strangers, key=lambda s: s.auroc_energy),
            worst=1 - min(c.f1 for c in record.classes if c.n),
            few=draw.FEW,
            best=best,
            recipe=sections(record.recipe),
            plots=_plots(record),
        )
    )


def percent(value: float, digits: int = 2) -> str:
    """0.997 -> "99.70 %", with a space that does not break."""
    return f"{100 * value:.{digits}f}\u00a0%"


def day(stamp: str) -> str:
    """An ISO date and time -> "21 November 2026"."""
    when = datetime.fromisoformat(stamp)
    return f"{when.day} {when:%B %Y}"


def sections(recipe: dict[str, Any]) -> list[str]:
    """A recipe as it would stand in a TOML file: plain keys first, then each table."""
    plain = {key: value for key, value in recipe.items() if not isinstance(value, dict)}
    tables = [(key, value) for key, value in recipe.items() if isinstance(value, dict)]
    found = [_keys(plain), *([f"[{key}]", *_keys(values)] for key, values in tables)]
    return ["\n".join(lines) for lines in found if lines]


def _keys(values: dict[str, Any]) -> list[str]:
    """What was not set, and tables in which nothing is, are left out."""
    written = {key: _value(value) for key, value in values.items() if value is not None}
    return [f"{key} = {text}" for key, text in written.items() if text]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(_keys(value))
        return f"{{ {inside} }}" if inside else ""
    return json.dumps(value, ensure_ascii=False)


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(percent=percent, day=day, count=lambda n: f"{n:,}")
    return made


def _plots(record: Record) -> dict[str, Any]:
    certainty, rejected = record.certainty, record.rejection
    before = f"Before: ECE {percent(certainty.ece_before)}"
    after = f"After temperature: ECE {percent(certainty.ece_after)}"
    return {
        "reliability": [
            _svg(draw.reliability(certainty.before, before), f"Reliability diagram. {before}"),
            _svg(draw.reliability(certainty.after, after), f"Reliability diagram. {after}"),
        ],
        "robustness": [
            _svg(draw.robustness(c), f"Accuracy against {c.title.lower()}")
            for c in record.robustness
        ],
        "rejection": [
            _svg(draw.rejection(rejected, s), f"Energy of known images and of: {s.title}")
            for s in rejected.strangers
        ],
        "writers": _svg(draw.writers(record.pen.writers), "Accuracy of each writer")
        if record.pen
        else "",
        "training": [
            _curve(draw_loss, record.history, "Loss an epoch"),
            _curve(draw_error, record.history, "Error an epoch"),
        ]
        if record.history
        else [],
    }


def _curve(
    draw_on: Callable[[Axes, tuple[Epoch, ...]], None], history: tuple[Epoch, ...], label: str
) -> Markup:
    made, axes = figure()
    draw_on(axes, history)
    return _svg(made, label)


def _svg(made: Figure, label: str) -> Markup:
    # Marked as safe: it is drawn here, and matplotlib escapes the text in it.
    return Markup(svg(made, label))
