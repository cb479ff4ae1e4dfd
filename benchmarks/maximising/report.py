"""The tables of one model, of whatever has been drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.maximising import identity, speed, table
from benchmarks.maximising.album import Album
from benchmarks.maximising.marks import Figures, measure
from benchmarks.maximising.plan import Part
from benchmarks.maximising.subject import LOGITS, Subject


@dataclass(frozen=True)
class Measured:
    """``figures``: None where nothing was drawn, and ``why``."""

    method: str
    figures: Figures | None
    units: int
    seconds: float
    why: str = ""

    def row(self) -> str:
        if self.figures is None:
            return f"| {self.method} | not measured: {self.why} |" + " |" * 8
        name = f"{self.method} (n = {len(self.figures.r)}, {self.units} units)"
        return table.row(name, self.figures, self.seconds)


def report(subject: Subject, parts: Sequence[Part], album: Album, quiet: bool) -> Iterator[str]:
    """``quiet``: with identity and speed, which are computed anew."""
    judge = subject.referee
    own = [part for part in parts if part.model == subject.model]
    yield f"\n## {subject.checkpoint.manifest.ref}\n"
    yield (
        f"referee {judge.architecture}: {judge.accuracy:.3f} of the test images, mean probability "
        f"{judge.probability:.3f}; {len(album.seeds)} seeds"
    )
    ours: list[Figures | None] = []
    for title, logits in (("class logits", True), ("channels", False)):
        some = [part for part in own if (part.layer == LOGITS) == logits]
        yield from (f"\n### {title}\n", *table.HEAD)
        for method in dict.fromkeys(part.method for part in some):
            found = _measured(subject, album, [part for part in some if part.method == method])
            yield found.row()
            if method == own[0].method:
                ours.append(found.figures)
    yield "\n### marks of ours\n"
    logits_figures, channel_figures = ours
    if logits_figures is None or channel_figures is None:
        yield "not yet: nothing was drawn of logits or channels"
        return
    marks = table.marks(logits_figures, channel_figures, judge)
    yield from table.lines([*marks, *(others(subject) if quiet else [])])


def _measured(subject: Subject, album: Album, parts: Sequence[Part]) -> Measured:
    """Of all these parts that are drawn, together."""
    found, units, seconds = [], 0, 0.0
    for part in parts:
        drawn = album.pictures(subject.checkpoint, part)
        if drawn is None:
            continue
        judge = subject.referee if part.layer == LOGITS else None
        known = subject.natural[part.layer]
        pictures, took = drawn
        found.append(measure(subject.checkpoint, part.layer, part.units, pictures, known, judge))
        units, seconds = units + len(part.units), seconds + took
    if not found:
        why = album.failure(subject.checkpoint, parts) or "not reached"
        return Measured(parts[0].method, None, 0, 0.0, why)
    joined = Figures.joined(found)
    return Measured(parts[0].method, joined, units, seconds / len(joined.r))


def others(subject: Subject) -> list[table.Mark]:
    """Identity and speed."""
    right, count = identity.same(subject.checkpoint, subject.folder)
    took = speed.measured(subject.checkpoint)
    ratio = took.bare / took.layer
    return [
        table.Mark("5 the same bytes wherever made", f"{right} of {count}", right == count),
        table.Mark("6 first frame <= 0.15 s", f"{took.first:.2f} core s", took.first <= 0.15),
        table.Mark("6 one picture <= 0.5 s", f"{took.one:.2f} core s", took.one <= 0.5),
        table.Mark("6 64 channels <= 3 s on 2 cores", f"{took.both:.1f} s", took.both <= 3),
        table.Mark("6 64 channels: one at a time over ours >= 4", f"{ratio:.1f}", ratio >= 4),
        table.Mark(
            "6 first picture of a layer <= 0.5 s", f"{took.cold:.2f} core s", took.cold <= 0.5
        ),
    ]
