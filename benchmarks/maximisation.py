"""Every mark of a maximisation's pictures, ours beside the methods of others, in one run.

    python -P benchmarks/maximisation.py             a sample: some minutes
    python -P benchmarks/maximisation.py --full      all logits, every channel of every convolution
    python -P benchmarks/maximisation.py --full --finished   the tables of what is drawn so far
    python -P benchmarks/maximisation.py --channels 8 --rival-channels 2 --models mnist emnist

Needs the data sets under GLYPHSCOPE_DATA. A referee network of another architecture is trained for
each data set on the first run; it and all pictures are kept under --cache, so a run that was
stopped goes on where it was. It draws in an order of which every beginning is a fair sample. What
the columns mean stands in docs/maximisation.md.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from benchmarks.maximising.album import Album
from benchmarks.maximising.lucent import LUCENT
from benchmarks.maximising.methods import METHODS, Draw
from benchmarks.maximising.plan import Most, Part, plan
from benchmarks.maximising.report import report
from benchmarks.maximising.subject import DATASETS, Subject
from training import data

FIRST_SEED = 9000
"""No seed that a setting was chosen on."""

EVERY = 10**6


def main() -> None:
    given = _arguments().parse_args()
    torch.set_num_threads(1)
    seeds = range(FIRST_SEED, FIRST_SEED + (given.seeds or (5 if given.full else 2)))
    album = Album(given.cache.resolve(), tuple(seeds))
    root = data.data_root()
    subjects = {model: Subject(model, root, album.folder) for model in given.models}
    draws: Mapping[str, Draw] = {**METHODS, **LUCENT}
    ours = Most(
        _given(given.logits, EVERY if given.full else 5),
        _given(given.channels, EVERY if given.full else 1),
    )
    rivals = Most(
        _given(given.rival_logits, ours.logits), _given(given.rival_channels, ours.channels)
    )
    living = {model: subject.living for model, subject in subjects.items()}
    parts = plan(living, [*draws], ours, rivals)
    if not given.finished:
        draw(parts, subjects, draws, album)
    for subject in subjects.values():
        for line in report(subject, parts, album, quiet=not given.finished):
            print(line, flush=True)


def draw(
    parts: Sequence[Part],
    subjects: Mapping[str, Subject],
    draws: Mapping[str, Draw],
    album: Album,
) -> None:
    """A method that failed on a model is not tried on its other parts."""
    failed: set[tuple[str, str]] = set()
    for i, part in enumerate(parts):
        if (part.model, part.method) in failed:
            continue
        where = f"{part.model} {part.layer}: {part.method}"
        reason = album.draw(subjects[part.model].checkpoint, part, draws[part.method])
        if reason is not None:
            failed.add((part.model, part.method))
            print(f"{where} failed: {reason}", flush=True)
        elif i % 50 == 0:
            print(f"{i} of {len(parts)} parts: {where}", flush=True)


def _arguments() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parse.add_argument("--full", action="store_true", help="all units: some hours; else a sample")
    parse.add_argument("--finished", action="store_true", help="print what is drawn; draw nothing")
    parse.add_argument("--models", nargs="+", choices=DATASETS, default=[*DATASETS])
    parse.add_argument("--seeds", type=int, help="2; with --full 5")
    parse.add_argument("--logits", type=int, help="at most 5; with --full all")
    parse.add_argument("--channels", type=int, help="of a layer at most 1; with --full all")
    parse.add_argument("--rival-logits", type=int, help="as --logits")
    parse.add_argument("--rival-channels", type=int, help="as --channels; 0 for none")
    parse.add_argument("--cache", type=Path, default=Path("runs/maximisation"))
    return parse


def _given(value: int | None, default: int) -> int:
    return default if value is None else value


if __name__ == "__main__":
    main()
