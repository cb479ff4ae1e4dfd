"""The few numbers that the checks judge, each computed from a ``Record``.

A figure is None where it cannot be known, and then nothing is said about it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from training.doctor.record import Heard, Record, Step
from training.doctor.stream import Stream, label_probe
from training.doctor.thresholds import LEARNED, MOVED

ENOUGH = {"step": 40, "epoch": 2}
"""Below this, a loss that has not moved says nothing."""

MIN_SEEN = 200
"""Images before order or dead units are judged."""

MIN_PROBED = 400
"""Images that the probe of the labels needs, half of them to judge it."""

EARLY = 20
"""Steps that count as the beginning; all of them are measured."""


@dataclass(frozen=True)
class Figures:
    """``start``: loss of the first step. ``end``, ``best``: medians of the last tenth of the steps
    and of the best twentieth. ``spike``: the highest median of three losses after the start, over
    the start (or ln K). ``chance``: ln K. ``entropy``: the loss of always answering with the
    labels' shares. ``reference``: what the loss is held against.

    ``update``: change over weight, median over layers and early steps; ``highest_update`` the same
    over the ten measured steps in a row where it is highest. ``gradient``: its norm at the first
    step.

    ``dead``, ``extreme``: share of the worst layer; ``fall``: gradient of the first weight over
    that of the last, root mean squares. ``neighbours``: how much oftener a label follows itself
    than by chance. ``climb``: held-out loss at the end above its lowest, over ln K;
    ``gap``: training loss at the end over that of then.
    """

    steps: int
    enough: bool
    reference: float
    start: float
    end: float
    best: float
    spike: float
    chance: float | None
    entropy: float | None
    update: float | None
    highest_update: float | None
    gradient: float | None
    dead: float | None
    dead_layer: str
    extreme_first: float | None
    extreme: float | None
    extreme_layer: str
    fall: float | None
    neighbours: float | None
    neighbours_z: float | None
    probe: float | None
    probe_chance: float | None
    probe_n: int
    first_seen_z: float | None
    climb: float | None
    gap: float | None
    leaked: float | None

    @property
    def learned(self) -> bool:
        return self.steps > 0 and self.end < LEARNED * self.reference

    @property
    def moved(self) -> bool:
        """Whether the loss ever went down at all."""
        return not self.enough or self.best < MOVED * self.reference


def figures(record: Record) -> Figures:
    losses = [loss for loss in record.losses if math.isfinite(loss)]
    stream, early = record.stream, [s for s in record.steps[:EARLY] if s.updates]
    dead, dead_layer = dead_share(record)
    extreme, extreme_layer = extreme_share(record, first=False)
    probe, probe_chance, probe_n = _probe(stream)
    neighbours, z = _neighbours(stream.labels)
    climb, gap = _held_out(record)
    chance = math.log(record.classes) if record.classes > 1 else None
    start = losses[0] if losses else math.nan
    return Figures(
        steps=len(record.steps),
        enough=len(record.steps) >= ENOUGH[record.unit],
        reference=_reference(record, start, chance),
        start=start,
        end=median(losses[-max(5, len(losses) // 10) :]) if losses else math.nan,
        best=best(losses),
        spike=_spike(losses, chance),
        chance=chance,
        entropy=_entropy(stream.labels),
        update=_median(ratio for step in early for ratio in update_ratios(step).values()),
        highest_update=_highest_update(record.steps),
        gradient=math.hypot(*early[0].gradients.values()) if early else None,
        dead=dead,
        dead_layer=dead_layer,
        extreme_first=extreme_share(record, first=True)[0],
        extreme=extreme,
        extreme_layer=extreme_layer,
        fall=_fall(record),
        neighbours=neighbours,
        neighbours_z=z,
        probe=probe,
        probe_chance=probe_chance,
        probe_n=probe_n,
        first_seen_z=_first_seen(stream, probe_chance),
        climb=climb,
        gap=gap,
        leaked=_leaked(record),
    )


def _reference(record: Record, start: float, chance: float | None) -> float:
    """What a loss is held against to say that something was learned. Of an epoch only the mean is
    known, in which much may have been learned already."""
    if chance is None:
        return start
    return chance if record.unit == "epoch" else min(start, chance)


def best(losses: Sequence[float]) -> float:
    """The lowest median of a window of a twentieth of the steps, of five at least."""
    width = max(5, len(losses) // 20)
    if len(losses) < width:
        return min(losses, default=math.nan)
    windows = np.lib.stride_tricks.sliding_window_view(np.array(losses), width)
    return float(np.median(windows, axis=1).min())


def update_ratios(step: Step) -> dict[str, float]:
    """Change over weight; a weight that is zero has none."""
    return {n: u / step.weights[n] for n, u in step.updates.items() if step.weights[n] > 1e-8}


def dead_share(record: Record) -> tuple[float | None, str]:
    """(share of units, layer) of the ReLU layer with most units that gave 0 for all late images."""
    shares = {
        layer.name: _dead(layer.late)
        for layer in record.layers.values()
        if layer.kind == "relu" and sum(h.images for h in layer.late) >= MIN_SEEN
    }
    worst = max(shares, key=shares.__getitem__, default="")
    return shares.get(worst), worst


def _dead(late: Sequence[Heard]) -> float:
    ever = late[0].active
    for heard in late[1:]:
        ever = ever | heard.active
    return float((~ever).float().mean())


def extreme_share(record: Record, first: bool) -> tuple[float | None, str]:
    """(share of values, layer) of the sigmoid or tanh layer that is most at its flat ends."""
    shares = {
        layer.name: layer.first.extreme
        if first
        else float(np.mean([h.extreme for h in layer.late]))
        for layer in record.layers.values()
        if layer.kind in ("sigmoid", "tanh") and not layer.answers
    }
    worst = max(shares, key=shares.__getitem__, default="")
    return shares.get(worst), worst


def root_mean_square(record: Record, step: Step) -> dict[str, float]:
    """Of the gradient of every weight, in the order of the network."""
    return {
        w.name: step.gradients[w.name] / math.sqrt(w.units * w.fan_in)
        for w in record.weights
        if w.name in step.gradients
    }


def _fall(record: Record) -> float | None:
    measured = [root_mean_square(record, s) for s in record.steps[:5] if s.gradients]
    ratios = [
        values[0] / values[-1]
        for values in (list(m.values()) for m in measured)
        if len(values) > 1 and values[-1] > 0
    ]
    return _median(ratios)


def _median(values: Iterable[float]) -> float | None:
    known = [v for v in values if math.isfinite(v)]
    return median(known) if known else None


def _highest_update(steps: Sequence[Step]) -> float | None:
    known = [update_ratios(step) for step in steps]
    medians = [m for ratios in known if ratios and math.isfinite(m := median(ratios.values()))]
    if len(medians) < 10:
        return None
    return max(median(medians[i : i + 10]) for i in range(len(medians) - 9))


def _spike(losses: Sequence[float], chance: float | None) -> float:
    reference = max(losses[0], chance or 0.0) if losses else 0.0
    if len(losses) < 4 or reference <= 0:
        return 0.0
    return max(median(losses[i : i + 3]) for i in range(1, len(losses) - 2)) / reference


def _entropy(labels: Sequence[int]) -> float | None:
    if not labels:
        return None
    share = np.bincount(labels) / len(labels)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())


def _neighbours(labels: Sequence[int]) -> tuple[float | None, float | None]:
    """(observed - expected share of equal neighbours, the same in standard errors)."""
    n = len(labels) - 1
    if n < MIN_SEEN:
        return None, None
    share = np.bincount(labels) / len(labels)
    expected = float((share**2).sum())
    if expected > 0.99:
        return None, None
    observed = float(np.mean(np.diff(labels) == 0))
    return observed - expected, (observed - expected) / math.sqrt(expected * (1 - expected) / n)


def _probe(stream: Stream) -> tuple[float | None, float | None, int]:
    if len(stream.small) < MIN_PROBED or len(set(stream.small_labels)) < 2:
        return None, None, 0
    return label_probe(stream)


def _first_seen(stream: Stream, chance: float | None) -> float | None:
    """How much better than chance the network knew images before it was trained on them."""
    if chance is None or not stream.first_seen:
        return None
    spread = math.sqrt(chance * (1 - chance) / stream.first_seen)
    return (stream.first_right / stream.first_seen - chance) / max(spread, 1e-9)


def _held_out(record: Record) -> tuple[float | None, float | None]:
    """(rise of the held-out loss from its lowest over ln K, training loss now over that of then):
    medians of three evaluations, since a single one can be a fluke."""
    smooth = smoothed(record)
    if len(smooth) < 3 or record.classes < 2:
        return None, None
    lowest = min(smooth, key=lambda point: point[1])
    width = max(5, len(record.losses) // 20)
    then = median(record.losses[max(lowest[0] - width, 0) : lowest[0]] or [math.nan])
    now = median(record.losses[-width:])
    climb = (smooth[-1][1] - lowest[1]) / math.log(record.classes)
    return climb, now / max(then, 1e-9)


def smoothed(record: Record) -> list[tuple[int, float]]:
    """(step, median of three) of the held-out loss."""
    held = record.held_out
    triples = zip(held, held[1:], held[2:], strict=False)
    return [(b.step, median([a.loss, b.loss, c.loss])) for a, b, c in triples]


def _leaked(record: Record) -> float | None:
    if not record.validation.prints:
        return None
    known = record.training_prints | record.stream.prints.keys()
    return sum(p in known for p in record.validation.prints) / len(record.validation.prints)
