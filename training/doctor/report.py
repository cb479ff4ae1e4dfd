"""How the doctor tells it: on the console, and in a folder for any browser.

FOLDER/
  doctor.json      the findings and the figures that they were judged by
  index.html       one page with everything in it, pictures too
  1-init-constant.png, ...
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from training.doctor import pictures
from training.doctor.ailments import AILMENTS
from training.doctor.figures import figures
from training.doctor.findings import Finding
from training.doctor.record import Record
from training.plots import png, svg

TEMPLATES = Path(__file__).parents[1] / "templates"

_COLOURS = {"critical": "red", "warning": "yellow", "note": "cyan"}


def tell(
    record: Record,
    findings: Sequence[Finding],
    folder: Path | None = None,
    *,
    subject: str = "the network",
    console: Console | None = None,
) -> list[Finding]:
    """Print the findings and, with ``folder``, write them; gives them back with their pictures."""
    told = list(findings) if folder is None else write(record, findings, folder, subject)
    console = console or Console()
    console.print(rendered(told))
    if folder is not None:
        console.print(
            f"[dim]with pictures: {escape(str(folder / 'index.html'))}[/]", soft_wrap=True
        )
    return told


def rendered(findings: Sequence[Finding]) -> RenderableType:
    if not findings:
        return "[green]healthy[/]  nothing found"
    return Group(*[_block(place, finding) for place, finding in enumerate(findings, 1)])


def _block(place: int, finding: Finding) -> RenderableType:
    """A consequence is told in one line: it goes away with its cause."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=2, justify="right", style="dim")
    table.add_column(width=8)
    table.add_column(overflow="fold")
    colour = _COLOURS[finding.severity]
    if finding.caused_by:
        causes = " and ".join(AILMENTS[c].title.lower() for c in finding.caused_by[:2])
        said = f"[dim]{escape(finding.title)}, which follows from: {escape(causes)}[/]"
        table.add_row(str(place), f"[dim]{finding.severity}[/]", said)
        return table
    table.add_row(str(place), f"[{colour}]{finding.severity}[/]", f"[bold]{finding.title}[/]")
    table.add_row("", "", escape(finding.evidence))
    table.add_row("", "", f"[bold]->[/] {escape(finding.advice)}")
    table.add_row("", "", f"[dim]{escape(finding.source)}[/]")
    return table


def write(
    record: Record, findings: Sequence[Finding], folder: Path, subject: str = "the network"
) -> list[Finding]:
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [_draw(record, finding, place, folder) for place, finding in enumerate(findings, 1)]
    told = [finding for finding, _ in drawn]
    vital = _finite(asdict(figures(record)))
    answer = {"findings": [_finite(f.as_dict()) for f in told], "figures": vital}
    _replace(folder / "doctor.json", json.dumps(answer, indent=1) + "\n")
    page = _environment().get_template("doctor.html")
    left = [a.title for code, a in AILMENTS.items() if code not in {f.code for f in told}]
    said = {code: ailment.title for code, ailment in AILMENTS.items()}
    _replace(
        folder / "index.html",
        page.render(subject=subject, drawn=drawn, titles=said, left=left, vital=_vital(record)),
    )
    return told


def _draw(record: Record, finding: Finding, place: int, folder: Path) -> tuple[Finding, Markup]:
    made = pictures.PICTURES[AILMENTS[finding.code].picture](record, finding)
    name = f"{place}-{finding.code}.png"
    png(made, folder / name)
    return replace(finding, picture=name), Markup(svg(made, finding.title))


def _vital(record: Record) -> list[Markup]:
    """What is worth a look in health, too."""
    if not any(step.gradients for step in record.steps):
        return []
    nothing = Finding("", "note", "", "", "", "")
    names = ["loss", "updates", "gradients"]
    names += ["activations"] if any(not a.answers for a in record.layers.values()) else []
    return [Markup(svg(pictures.PICTURES[n](record, nothing), n)) for n in names]


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finite(value: Any) -> Any:
    """JSON has neither NaN nor infinity."""
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
