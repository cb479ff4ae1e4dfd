"""How far healthy and sick runs lie apart: what docs/doctor.md says of each threshold.

    python -m examples.doctor.study --seeds 100 101 102

Each line: a figure, the line that is drawn, the healthy runs' range, and the sick scripts' that
are to be found by it.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from rich.console import Console

from examples.doctor import cases
from examples.doctor.healthy import RUNS
from training import doctor
from training.doctor import thresholds as t
from training.doctor.figures import Figures, figures
from training.doctor.record import Record

Read = Callable[[Record, Figures], float | None]


@dataclass(frozen=True)
class Line:
    figure: str
    drawn: float
    read: Read
    sick: tuple[str, ...]


def _z(_: Record, f: Figures) -> float | None:
    if f.probe is None or f.probe_chance is None:
        return None
    return (f.probe - f.probe_chance) / math.sqrt(f.probe_chance * (1 - f.probe_chance) / f.probe_n)


def _start(_: Record, f: Figures) -> float | None:
    return f.start / f.chance if f.chance else None


LINES = (
    Line("labels: linear probe above chance, standard errors", t.Z_PROBE, _z,
         ("shuffled_labels",)),
    Line("order: equal neighbours above chance", t.NEIGHBOURS,
         lambda _, f: f.neighbours, ("unshuffled",)),
    Line("input: standard deviation", t.INPUT_LARGE,
         lambda r, _: r.inputs.std, ("unnormalised_input",)),
    Line("splits: share of validation images trained on", t.LEAKED,
         lambda _, f: f.leaked, ("leaking_splits",)),
    Line("start: loss over ln K", t.START, _start, ("init_too_large", "saturated_sigmoids")),
    Line("start: largest gain", t.GAIN_LARGE,
         lambda r, _: max(w.gain for w in r.weights), ("init_too_large", "saturated_sigmoids")),
    Line("start: spread of the logits", t.SPREAD_SMALL,
         lambda r, _: r.outputs.spread if r.outputs else None, ("init_too_small",)),
    Line("start: saturated share", t.EXTREME_FIRST,
         lambda _, f: f.extreme_first, ("saturated_sigmoids", "saturated_tanh")),
    Line("gradient: first weight over last", t.FALL,
         lambda _, f: f.fall, ("vanishing_gradients", "init_too_small")),
    Line("gradient: norm at the first step", t.EXPLODED,
         lambda _, f: f.gradient, ("exploding_gradients",)),
    Line("course: highest loss over start", t.SPIKE,
         lambda _, f: f.spike, ("learning_rate_high", "learning_rate_diverges")),
    Line("course: change over weight", t.UPDATE_LOW,
         lambda _, f: f.highest_update, ("learning_rate_low",)),
    Line("course: dead ReLUs", t.DEAD, lambda _, f: f.dead, ("dead_relus",)),
    Line("course: lowest loss over start", t.MOVED, lambda _, f: f.best / f.reference,
         ("learning_rate_low", "vanishing_gradients", "dead_relus", "zero_init")),
    Line("end: climb of the held-out loss over ln K", t.CLIMB,
         lambda _, f: f.climb, ("overfitting",)),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102])
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    healthy = [run.train(seed) for run in RUNS.values() for seed in seeds]
    sick = {name: [cases.sick(name)(seed) for seed in seeds] for name in cases.CASES}
    alarms = sum(bool(patient.findings) for patient in healthy)
    right = sum(
        [f.code for f in patient.findings][:1] == [cases.CASES[name]]
        for name, patients in sick.items()
        for patient in patients
    )
    count = sum(map(len, sick.values()))
    _say(f"healthy: {alarms} false alarms in {len(healthy)} runs; sick: {right} of {count} right")
    _say("| figure | line | healthy | n | sick | n |\n|---|---|---|---|---|---|")
    for line in LINES:
        ill = [patient for name in line.sick for patient in sick[name]]
        _say(f"| {line.figure} | {line.drawn:g} | {_range(line, healthy)} | {_range(line, ill)} |")


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def _range(line: Line, patients: list[doctor.Patient]) -> str:
    found = [line.read(p.record, figures(p.record)) for p in patients]
    known = [value for value in found if value is not None and math.isfinite(value)]
    if not known:
        return "- | 0"
    return f"{min(known):.3g} to {max(known):.3g} | {len(known)}"


if __name__ == "__main__":
    main()
