"""Every mark of a maximisation's pictures, ours beside the methods of others, in one run.

    python -P benchmarks/maximisation.py             a sample: some minutes
    python -P benchmarks/maximisation.py --full      all logits, every channel of every convolution
    python -P benchmarks/maximisation.py --channels 8 --rival-channels 2 --models mnist emnist

Needs the data sets under GLYPHSCOPE_DATA. A referee network of another architecture is trained for
each data set on the first run; it and all pictures are kept under --cache, so a second run goes on
where the first stopped. What the columns mean stands in docs/maximisation.md.
"""

import argparse
import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.maximising import identity, speed, table
from benchmarks.maximising.lucent import Absent, lucent
from benchmarks.maximising.marks import Figures, measure
from benchmarks.maximising.methods import METHODS, OURS, REQUESTS, Draw
from benchmarks.maximising.natural import Natural, natural
from benchmarks.maximising.referee import Referee, referee
from glyphscope.checkpoint import Checkpoint
from glyphscope.checkpoint import load as load_checkpoint
from glyphscope.picture import Pixels
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest
from glyphscope.visualise.request import METHOD, settings_of
from training import data

STORE = Path(__file__).parents[1] / "checkpoints"
DATASETS = {"mnist": "mnist", "fashion-mnist": "fashion-mnist", "emnist": "emnist-subset"}
FIRST_SEED = 9000
"""No seed that a setting was chosen on."""


@dataclass(frozen=True)
class Subject:
    """A shipped model with all that its pictures are held against."""

    checkpoint: Checkpoint
    referee: Referee
    natural: dict[str, Natural]
    convolutions: tuple[str, ...]

    @classmethod
    def load(cls, model: str, root: Path, cache: Path) -> "Subject":
        store = Store(STORE)
        checkpoint = load_checkpoint(store.path(store.resolve(f"{model}@production")))
        judge = referee(DATASETS[model], root, cache)
        convolutions = tuple(i.name for i in checkpoint.network.layers if i.kind == "conv")
        test = data.load(DATASETS[model], "test", root).images
        known = natural(checkpoint, test, [*convolutions, "logits"])
        return cls(checkpoint, judge, known, convolutions)

    def some(self, layer: str, most: int) -> list[int]:
        """Living units, evenly over the layer."""
        units = len(self.natural[layer].median)
        places = np.linspace(0, units - 1, min(most, units)).round().astype(int).tolist()
        return [unit for unit in places if not self.natural[layer].dead(unit)]


@dataclass(frozen=True)
class Wanted:
    seeds: tuple[int, ...]
    logits: int
    channels: int
    cache: Path

    def figures(
        self, subject: Subject, name: str, draw: Draw, layers: Sequence[str]
    ) -> tuple[Figures, float]:
        """Of all these layers, with seconds a picture."""
        found, seconds, count = [], 0.0, 0
        for layer in layers:
            last = layer == "logits"
            units = subject.some(layer, self.logits if last else self.channels)
            pictures, took = self._pictures(subject, name, draw, layer, units)
            seconds, count = seconds + took, count + len(units) * len(self.seeds)
            judge = subject.referee if last else None
            known = subject.natural[layer]
            found.append(measure(subject.checkpoint, layer, units, pictures, known, judge))
        return Figures.joined(found), seconds / count

    def _pictures(
        self, subject: Subject, name: str, draw: Draw, layer: str, units: Sequence[int]
    ) -> tuple[Pixels, float]:
        parts = (METHOD, subject.checkpoint.manifest.digest, name, _settings(name))
        what = repr((*parts, layer, units, self.seeds))
        path = self.cache / f"pictures/{hashlib.sha256(what.encode()).hexdigest()[:24]}.npz"
        if not path.exists():
            began = _cpu_seconds()
            pictures = draw(subject.checkpoint, layer, units, self.seeds)
            ended = _cpu_seconds()
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                np.savez_compressed(file, pictures=pictures, seconds=ended - began)
            Path(file.name).rename(path)
        with np.load(path) as kept:
            return kept["pictures"], float(kept["seconds"])


def _settings(name: str) -> str:
    if name not in REQUESTS:
        return ""
    request = MaximisationRequest.model_validate({"layer": "logits", **REQUESTS[name]})
    return settings_of(request).model_dump_json()


def _cpu_seconds() -> float:
    """Of this process and those it waited for: what others do on the machine does not count."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def methods(cache: Path) -> dict[str, Draw]:
    """Ours first. Those that cannot run here are said and left out."""
    found = dict(METHODS)
    for name, standard in (("torch-lucent, own transforms", True), ("torch-lucent, none", False)):
        try:
            found[name] = lucent(cache, standard)
        except Absent as error:
            print(f"{name}: {error}")
    return found


def report(model: str, wanted: Wanted, rivals: Wanted, root: Path) -> None:
    subject = Subject.load(model, root, wanted.cache)
    judge = subject.referee
    print(f"\n## {subject.checkpoint.manifest.ref}\n")
    print(
        f"referee {judge.architecture}: {judge.accuracy:.3f} of the test images, mean probability "
        f"{judge.probability:.3f}; {len(wanted.seeds)} seeds"
    )
    ours: list[Figures] = []
    for title, layers in (("class logits", ("logits",)), ("channels", subject.convolutions)):
        print(f"\n### {title}\n")
        print("\n".join(table.HEAD))
        figures, seconds = wanted.figures(subject, OURS, METHODS[OURS], layers)
        print(table.row(f"{OURS} (n = {len(figures.r)})", figures, seconds), flush=True)
        ours.append(figures)
        if title == "class logits" or rivals.channels:
            compare(subject, rivals, layers)
    print("\n### marks of ours\n")
    found = [*table.marks(ours[0], ours[1], judge), *others(subject)]
    print("\n".join(table.lines(found)), flush=True)


def compare(subject: Subject, rivals: Wanted, layers: Sequence[str]) -> None:
    for name, draw in methods(rivals.cache).items():
        if name != OURS:
            figures, seconds = rivals.figures(subject, name, draw, layers)
            print(table.row(f"{name} (n = {len(figures.r)})", figures, seconds), flush=True)


def others(subject: Subject) -> list[table.Mark]:
    """Identity and speed."""
    store = Store(STORE)
    manifest = subject.checkpoint.manifest
    folder = store.path(store.resolve(manifest.ref))
    right, count = identity.same(subject.checkpoint, folder)
    took = speed.measured(subject.checkpoint)
    ratio = took.bare / took.layer
    return [
        table.Mark("5 the same bytes wherever made", f"{right} of {count}", right == count),
        table.Mark("6 first frame <= 0.15 s", f"{took.first:.2f} core s", took.first <= 0.15),
        table.Mark("6 one picture <= 0.5 s", f"{took.one:.2f} core s", took.one <= 0.5),
        table.Mark("6 64 channels <= 3 s on 2 cores", f"{took.layer:.1f} core s", took.layer <= 6),
        table.Mark("6 64 channels: one at a time over ours >= 4", f"{ratio:.1f}", ratio >= 4),
        table.Mark(
            "6 first picture of a layer <= 0.5 s", f"{took.cold:.2f} core s", took.cold <= 0.5
        ),
    ]


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parse.add_argument("--full", action="store_true", help="all units: some hours; else a sample")
    parse.add_argument("--models", nargs="+", choices=DATASETS, default=[*DATASETS])
    parse.add_argument("--seeds", type=int, help="2; with --full 5")
    parse.add_argument("--logits", type=int, help="at most 5; with --full all")
    parse.add_argument("--channels", type=int, help="of a layer at most 1; with --full all")
    parse.add_argument("--rival-logits", type=int, help="as --logits")
    parse.add_argument("--rival-channels", type=int, help="as --channels; 0 for none")
    parse.add_argument("--cache", type=Path, default=Path("runs/maximisation"))
    given = parse.parse_args()
    torch.set_num_threads(1)
    seeds = given.seeds or (5 if given.full else 2)
    logits = _given(given.logits, 10**6 if given.full else 5)
    channels = _given(given.channels, 10**6 if given.full else 1)
    tried = tuple(range(FIRST_SEED, FIRST_SEED + seeds))
    cache = given.cache.resolve()
    wanted = Wanted(tried, logits, channels, cache)
    rivals = Wanted(
        tried, _given(given.rival_logits, logits), _given(given.rival_channels, channels), cache
    )
    for model in given.models:
        report(model, wanted, rivals, data.data_root())


def _given(value: int | None, default: int) -> int:
    return default if value is None else value


if __name__ == "__main__":
    main()
