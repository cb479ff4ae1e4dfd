"""The figures as Markdown: a table of all, the marks, and what they are held against."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmarks._serving.load import Result

if TYPE_CHECKING:
    from benchmarks._serving.run import Measured

Found = Mapping[str, "Measured"]

ENGINES = {"torch": "torch", "onnx": "ONNX Runtime"}

OURS, LIMIT = "glyphscope", "limit-ort"
BATCH = 256

COLUMNS = ("1", "16", "64", "batch", "tensor")

LIMIT_SHARE = 0.7
BATCH_SHARE = 0.85
BEST_PEER = {"1": 1.5, "16": 2.0, "64": 1.1, "batch": 1.5}
SLOW_PEERS = ("litserve", "bentoml", "ray", "fastapi")
SLOW_FACTOR = 3.0


def whole(found: Found, engine: str, rounds: int, seconds: int, *more: str) -> str:
    head = (
        f"Peers run the network in {ENGINES[engine]}. Median of {rounds} rounds of {seconds} s "
        "(range). Requests a second; images a second "
        "for a batch of 256 (npy; tensor: OIP binary). p99 in ms. Memory in MiB, start in s."
    )
    return "\n\n".join([head, table(found), marks(found), *more])


def table(found: Found) -> str:
    lines = [
        "| server | 1 | 16 | 64 | batch | tensor | p99 at 1 / 16 / 64 | memory | start |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, each in found.items():
        if each.failed:
            lines.append(f"| {name} | failed: {each.failed[:120]} |||||||")
            continue
        rates = [_spread([_rate(column, r) for r in each.loads[column]]) for column in COLUMNS]
        tails = " / ".join(f"{_p99(each, column):.1f}" for column in COLUMNS[:3])
        memory, start = statistics.median(each.memory), statistics.median(each.seconds)
        lines.append(f"| {name} | {' | '.join(rates)} | {tails} | {memory:.0f} | {start:.1f} |")
    return "\n".join(lines)


def marks(found: Found) -> str:
    """Each against what was asked of it. Of a peer's variants the better one counts."""
    if found[OURS].failed or found[LIMIT].failed:
        return f"No marks without {OURS} and {LIMIT}."
    peers = {name: each for name, each in found.items() if not each.failed and _is_peer(name)}
    lines = ["| mark | asked | found | |", "|---|---|---|---|"]

    def mark(text: str, asked: float, value: float, more: bool = True) -> None:
        good = value >= asked if more else value <= asked
        lines.append(f"| {text} | {asked:g} | {value:.2f} | {'yes' if good else 'NO'} |")

    for column in ("1", "16", "64", "batch"):
        asked = BATCH_SHARE if column == "batch" else LIMIT_SHARE
        mark(f"of {LIMIT}, {column}", asked, _ratio(found, LIMIT, column))
    mark(f"of {LIMIT}, tensor", BATCH_SHARE, _ratio(found, LIMIT, "batch", "tensor"))
    for column, asked in BEST_PEER.items() if peers else ():
        best = max(peers, key=lambda name: _median(peers[name], column))
        mark(f"times the best peer, {column} ({best})", asked, _ratio(found, best, column))
        if column == "batch":
            value = _ratio(found, best, "batch", "tensor")
            mark(f"times the best peer's batch, tensor ({best})", asked, value)
    for family in SLOW_PEERS:
        variants = [name for name in peers if name.partition(",")[0] == family]
        for column in ("16", "64") if variants else ():
            best = max(variants, key=lambda name: _median(peers[name], column))
            mark(f"times {best}, {column}", SLOW_FACTOR, _ratio(found, best, column))
    for column in ("1", "16", "64") if peers else ():
        best = min(peers, key=lambda name: _p99(peers[name], column))
        value = _p99(found[OURS], column) / _p99(peers[best], column)
        mark(f"p99 as a share of the best peer's, {column} ({best})", 1.0, value, more=False)
    mark("memory, MiB", 350, statistics.median(found[OURS].memory), more=False)
    mark("start to the first answer, s", 2, statistics.median(found[OURS].seconds), more=False)
    return "\n".join(lines)


def maps(found: Mapping[str, Sequence[float]]) -> str:
    bare = statistics.median(found["bare"])
    parts = [
        f"{name} {statistics.median(values):.0f} us ({statistics.median(values) / bare:.2f}x)"
        for name, values in found.items()
    ]
    return "All activation maps of one image (asked: 2x the bare pass and copy): " + ", ".join(
        parts
    )


def workers(found: Mapping[int, Sequence[float]]) -> str:
    rates = {count: statistics.median(values) for count, values in found.items()}
    return (
        f"Two processes do {2 * rates[2] / rates[1]:.2f} times the work of one by CPU time "
        f"(asked: 1.8): {rates[1]:.0f} and {rates[2]:.0f} requests a CPU second."
    )


def _is_peer(name: str) -> bool:
    return name != OURS and not name.startswith("limit")


def _ratio(found: Found, other: str, column: str, mine: str | None = None) -> float:
    """The median over rounds of ours by the other's of the same round."""
    pairs = zip(found[OURS].loads[mine or column], found[other].loads[column], strict=False)
    return statistics.median([ours.rate / theirs.rate for ours, theirs in pairs] or [0.0])


def _median(each: "Measured", column: str) -> float:
    return statistics.median(result.rate for result in each.loads[column])


def _p99(each: "Measured", column: str) -> float:
    return statistics.median(result.p99 for result in each.loads[column])


def _rate(column: str, result: Result) -> float:
    return result.rate * (BATCH if column in ("batch", "tensor") else 1)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})"
