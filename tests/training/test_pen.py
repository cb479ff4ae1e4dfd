import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from glyphscope import checkpoint
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import DataMissing
from glyphscope.store import Store
from glyphscope.strokes import Strokes
from tests.conftest import ROOT, require
from training import data, pen
from training.data import MERGED
from training.pen import Character, Pen

ONE: Strokes = [[[0.5, 0], [0.5, 1]]]
SEVEN: Strokes = [[[0, 0], [0.7, 0], [0.3, 1]]]
HELD_OUT = "a"
"""The SHA-256 of "a" ends in ...bb, an odd digit; that of "c" in ...e6."""
CHOSEN_ON = "c"


def shipped(name: str) -> Checkpoint:
    store = Store(ROOT / "checkpoints")
    return checkpoint.load(store.path(store.resolve(name)))


def judged(found: Checkpoint, characters: list[Character]) -> Pen:
    manifest = found.manifest
    chosen = pen.classes(characters, found.labels)
    return pen.judge(found.network, manifest.input, found.labels, manifest.calibration, chosen)


def write(path: Path, *characters: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(c) + "\n" for c in characters)


def test_writers_are_halved_by_the_last_bit_of_their_hash() -> None:
    assert Character("1", HELD_OUT, ONE).held_out
    assert not Character("1", CHOSEN_ON, ONE).held_out
    for writer in map(str, range(50)):
        last = hashlib.sha256(writer.encode()).digest()[-1]
        assert Character("1", writer, ONE).held_out == bool(last & 1)


def test_case_is_folded_only_where_the_classes_fold_it() -> None:
    def read_as(names: tuple[str, ...], label: str) -> str | None:
        found = pen.classes([Character(label, "w", ONE)], names)
        return names[found[0][0]] if found else None

    assert [read_as(MERGED, label) for label in "3CcAad"] == ["3", "C", "C", "A", "a", "d"]
    byclass = data.source("emnist-byclass").labels
    assert [read_as(byclass, label) for label in "Cc"] == ["C", "c"]
    digits = data.source("mnist").labels
    assert [read_as(digits, label) for label in "3Cc"] == ["3", None, None]


def test_reads_strokes_and_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="unipen-digits"):
        pen.read(tmp_path)
    digits, letters = (tmp_path / "strokes" / name for name in pen.FILES)
    write(digits, {"label": "1", "set": "1a", "writer": "w", "strokes": ONE})
    write(letters)
    assert pen.read(tmp_path) == [Character("1", "w", ONE)]
    write(letters, {"label": "A"})
    with pytest.raises(DataMissing, match=r"unipen-letters.*writer"):
        pen.read(tmp_path)
    letters.write_bytes(b"no gzip")
    with pytest.raises(DataMissing, match="unipen-letters"):
        pen.read(tmp_path)


def test_the_shipped_model_reads_drawings_and_the_wrong_ones_are_shown() -> None:
    good = [Character("1", HELD_OUT, ONE), Character("7", HELD_OUT, SEVEN)]
    mislabelled = [Character("1", HELD_OUT, SEVEN), Character("7", CHOSEN_ON, ONE)]
    found = judged(shipped("mnist"), good * 2 + mislabelled)
    unseen, seen = found.groups
    assert (unseen.n, unseen.writers, unseen.accuracy) == (5, 1, 0.8)
    assert (seen.n, seen.writers, seen.accuracy) == (1, 1, 0.0)
    assert unseen.in_distribution == 1
    assert [(s.name, s.n, s.accuracy) for s in found.labels] == [
        ("1", 3, pytest.approx(2 / 3)),
        ("7", 2, 1.0),
    ]
    assert [(e.truth, e.answer) for e in found.misread] == [("1", "7")]


def test_intervals_draw_whole_writers() -> None:
    right = torch.tensor([True] * 20 + [False] * 20)
    one_each = pen.by_writer([str(i) for i in range(40)], right)
    assert one_each == pytest.approx((0.35, 0.65), abs=0.026)  # 0.5 -+ 1.96 * sqrt(0.25 / 40)
    four = pen.by_writer([str(i // 10) for i in range(40)], right)
    assert four == (0.0, 1.0)
    assert pen.by_writer(["w"] * 40, right) == (0.5, 0.5)
    unequal = ["w"] * 39 + ["v"]
    assert pen.by_writer(unequal, torch.ones(40, dtype=torch.bool)) == (1.0, 1.0)


@pytest.fixture(scope="module")
def held_out() -> list[Character]:
    """Those of the writers on which nothing was chosen."""
    root = data.data_root()
    if "GLYPHSCOPE_DATA" not in os.environ or not (root / "strokes").is_dir():
        require("data", "set GLYPHSCOPE_DATA to a folder that has strokes/")
    return [c for c in pen.read(root) if c.held_out]


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n", "writers", "accuracies"),
    [("mnist@1", 2005, 63, [0.982]), ("emnist@1", 6842, 76, [0.853, 0.941, 0.816])],
)
def test_published_models_read_real_strokes_as_recorded(
    name: str, n: int, writers: int, accuracies: list[float], held_out: list[Character]
) -> None:
    """As docs/decisions/0010 has it."""
    found = judged(shipped(name), held_out)
    assert (found.groups[0].n, found.groups[0].writers) == (n, writers)
    assert [g.accuracy for g in found.groups] == pytest.approx(accuracies, abs=6e-4)
