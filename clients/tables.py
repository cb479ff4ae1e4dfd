"""Answers as tables for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from clients.answers import Layer, LayerStatistics, Maximisation, Model, Prediction

UNFAMILIAR = "looks like none of its classes"


def models(found: Sequence[Model]) -> Table:
    table = new_table("model", "version >", "data set", "classes >", "accuracy >", "other aliases")
    for model in found:
        aliases = {name: v for name, v in model.aliases.items() if name != "production"}
        table.add_row(
            model.name,
            str(model.production or "-"),
            model.dataset or "-",
            str(len(model.labels) or "-"),
            "-" if model.accuracy is None else f"{model.accuracy:.2%}",
            ", ".join(f"{alias} = {version}" for alias, version in aliases.items()),
        )
    return table


def refusals(found: Sequence[Model]) -> list[str]:
    return [f"refused: {one.reason}" for model in found for one in model.broken]


def processes(status: Mapping[str, Any]) -> Table:
    table = new_table("process", "device", "ready", "images waiting >", "requests >", "in memory")
    for one in status["processes"]:
        table.add_row(
            f"{one['host']}-{one['pid']}",
            one["device"],
            "yes" if one["ready"] else "stopping",
            str(one["waiting_images"]),
            str(one["requests"]),
            ", ".join(one["loaded"]) or "-",
        )
    return table


def serving(status: Mapping[str, Any]) -> Table:
    table = new_table("model", "versions", "serving", "canary", "shadow", "disagree >", "pinned")
    for model in status["models"]:
        rollout = model["rollout"]
        table.add_row(
            model["name"],
            ", ".join(map(str, model["versions"])),
            ", ".join(f"{alias} = {version}" for alias, version in model["serving"].items()) or "-",
            _share(rollout["canary"]),
            _share(rollout["shadow"]),
            _disagreement(model["comparisons"]),
            ", ".join(map(str, rollout["pinned"])) or "-",
        )
    return table


def troubles(status: Mapping[str, Any]) -> list[str]:
    """What an operator should look at."""
    found = []
    for model in status["models"]:
        found += [
            f"{model['name']}: {held['alias']} names {held['wanted']}, {held['serving']} serves: "
            f"{held['reason']}"
            for held in model["held"]
        ]
        found += [f"refused: {one['reason']}" for one in model["broken"]]
    return found


def _share(share: Mapping[str, Any] | None) -> str:
    return f"{share['percent']:g}% to {share['to']}" if share else "-"


def _disagreement(rows: Sequence[Mapping[str, Any]]) -> str:
    compared = sum(row["compared"] for row in rows)
    if not compared:
        return "-"
    return f"{sum(row['disagreements'] for row in rows)} of {compared}"


def layers(found: Sequence[Layer]) -> Table:
    table = new_table("layer", "kind", "output", "parameters >", "activations", "maximise")
    for layer in found:
        able = ["yes" if can else "-" for can in (layer.activations, layer.maximise)]
        shape = " x ".join(map(str, layer.output_shape))
        table.add_row(layer.name, layer.kind, shape, f"{layer.parameters:,}", *able)
    return table


def predictions(names: Sequence[str], found: Sequence[Prediction]) -> Table:
    table = new_table("file", "answer", "probability >", "then", "")
    for name, one in zip(names, found, strict=True):
        others = ", ".join(f"{c.label} {c.probability:.1%}" for c in one.top[1:])
        note = UNFAMILIAR if one.in_distribution is False else ""
        table.add_row(name, one.label, f"{one.confidence:.1%}", others, note)
    return table


def statistics(found: Sequence[LayerStatistics], image: int = 0) -> Table:
    """Over all units of a layer, for one image."""
    table = new_table("layer", "units >", "min >", "mean >", "max >", "strongest unit >")
    for layer in found:
        highest = [_number(value, float("-inf")) for value in layer.max[image]]
        means = [_number(value, 0.0) for value in layer.mean[image]]
        lowest = min(_number(value, float("inf")) for value in layer.min[image])
        table.add_row(
            layer.name, str(len(means)), f"{lowest:.3g}", f"{sum(means) / len(means):.3g}",
            f"{max(highest):.3g}", str(highest.index(max(highest))),
        )  # fmt: skip
    return table


def maximisation(job: Maximisation) -> Table:
    """``r`` is 0 at the test set's median and 1 at its highest; the figures behind it are multiples
    of what is usual in the unit's best test images."""
    table = new_table(
        "unit >", "activation >", "best test image >", "r >", "fine detail >", "edges >",
        "nearest", "",
    )  # fmt: skip
    for result in job.results:
        found = result.score
        near = found.nearest
        table.add_row(
            str(result.unit),
            *(_figure(value, "") for value in (result.activation, result.dataset_max, found.r)),
            *(_figure(value, "x") for value in (found.high_frequency, found.total_variation)),
            f"{near.label} (no. {near.index})" if near else "-",
            "dead: no image makes it answer" if result.dead else "",
        )
    return table


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.4g}" if not unit else f"{value:.2f}{unit}"


def new_table(*columns: str) -> Table:
    """A name that ends in " >" is a column of numbers."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        name = column.removesuffix(" >")
        table.add_column(name, justify="right" if name != column else "left", overflow="fold")
    return table


def _number(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
