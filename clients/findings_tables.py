"""What the microscope answers, as tables for people."""

from collections.abc import Sequence

from rich.table import Table

from clients.findings import (
    Adversarial,
    Attribution,
    CarriedImage,
    Comparison,
    Evolution,
    Example,
    Method,
    Place,
    UnitDifference,
    UnitStatistics,
)
from clients.tables import new_table

MOST_ROWS = 12


def units(found: Sequence[UnitStatistics]) -> Table:
    made = new_table("unit >", "lowest >", "median >", "highest >", "active >", "")
    for one in found:
        numbers = [f"{value:.3g}" for value in (one.lowest, one.median, one.highest)]
        note = "dead: the same for every image" if one.dead else ""
        made.add_row(str(one.unit), *numbers, f"{one.active:.1%}", note)
    return made


def examples(found: Sequence[Example]) -> Table:
    made = new_table("test image >", "is", "answered", "activation >", "row, column", "sees")
    for one in found:
        at = "" if one.position is None else f"{one.position[0]}, {one.position[1]}"
        made.add_row(
            str(one.index), one.label or "-", one.answer or "-", f"{one.activation:.4g}", at,
            _field(one),
        )  # fmt: skip
    return made


def methods(found: Sequence[Method]) -> Table:
    made = new_table("method", "what it says", "source")
    for one in found:
        made.add_row(one.name, one.about, one.source)
    return made


def attributions(found: Sequence[Attribution]) -> Table:
    made = new_table(
        "for", "logit >", "sum of the map >", "strongest for at", "strongest against at"
    )
    for one in found:
        flat = [(value, r, c) for r, row in enumerate(one.map) for c, value in enumerate(row)]
        ends = [f"row {r}, column {c}: {value:.3g}" for value, r, c in (max(flat), min(flat))]
        logit, total = (one.scores.get(name) or 0.0 for name in ("logit", "sum"))
        made.add_row(one.target.label, f"{logit:.4g}", f"{total:.4g}", *ends)
    return made


def adversarials(found: Sequence[Adversarial]) -> Table:
    made = new_table("answered", "then", "grey levels >", "")
    for one in found:
        answers = [f"{answer.label} {answer.confidence:.1%}" for answer in (one.before, one.after)]
        made.add_row(*answers, str(one.levels), "" if one.fooled else "it holds")
    return made


def places(found: Sequence[Place]) -> Table:
    made = new_table("image >", "x >", "y >", "nearest test images")
    for i, one in enumerate(found):
        near = ", ".join(f"{n.label} ({n.index})" for n in one.neighbours)
        made.add_row(str(i), f"{one.x:.3f}", f"{one.y:.3f}", near)
    return made


def test_images(found: Sequence[CarriedImage]) -> Table:
    made = new_table("test image >", "is", "answered", "probability >")
    for one in found:
        made.add_row(str(one.index), one.label, one.answer, f"{one.confidence:.1%}")
    return made


def differences(found: Sequence[UnitDifference]) -> Table:
    made = new_table("layer", "unit >", "here >", "usually >", "standard deviations >")
    for one in found[:MOST_ROWS]:
        numbers = [f"{value:.3g}" for value in (one.first, one.second)]
        made.add_row(one.layer, str(one.unit), *numbers, f"{one.effect:+.2f}")
    return made


def evolution(found: Evolution) -> Table:
    """``likeness`` is of the weights, with those of the published version."""
    made = new_table("epoch >", "likeness >", "mean >", "highest >", "most for", "driven most by")
    for one in found.stages:
        means = [(value, found.labels[k]) for k, value in enumerate(one.class_means) if value]
        made.add_row(
            "published" if one.epoch is None else str(one.epoch),
            "-" if one.likeness is None else f"{one.likeness:.3f}",
            f"{one.mean:.3g}",
            f"{one.highest:.3g}",
            max(means)[1] if means else "-",
            ", ".join(f"{image.label} ({image.index})" for image in one.top[:3]),
        )
    return made


def comparison(found: Comparison) -> Table:
    made = new_table(found.first, found.second, "alike (CKA) >", "units' mean correlation >")
    for one in found.layers:
        mean = sum(match.correlation for match in one.matches) / len(one.matches)
        made.add_row(one.first, one.second, f"{one.cka:.3f}", f"{mean:.3f}")
    return made


def _field(one: Example) -> str:
    if one.field is None:
        return "the whole image"
    box = one.field
    return f"rows {box.top}-{box.bottom - 1}, columns {box.left}-{box.right - 1}"
