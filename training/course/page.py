"""What the experiments showed, on one page: course.html."""

import base64
import os
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.course.plan import Experiment
from training.course.run import Record

TEMPLATES = Path(__file__).parents[1] / "templates"

Told = Sequence[tuple[Experiment, Sequence[Record]]]


def write(told: Told, out: Path, short: bool) -> Path:
    """Pictures are put into the page itself, so it can be sent to somebody."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    experiments = [
        (experiment, [(r, _pictures(out / experiment.letter, r)) for r in records])
        for experiment, records in told
    ]
    page = environment.get_template("course.html").render(experiments=experiments, short=short)
    part = out / "course.html.part"
    part.write_text(page, encoding="utf-8")
    os.replace(part, out / "course.html")
    return out / "course.html"


def _pictures(folder: Path, record: Record) -> list[tuple[str, str]]:
    """(name, PNG in base64); one that was removed meanwhile is left out."""
    paths = [(name, folder / name) for name in record.pictures]
    return [
        (name, base64.b64encode(path.read_bytes()).decode())
        for name, path in paths
        if path.exists()
    ]
