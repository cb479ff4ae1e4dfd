"""The course's short form, every letter, on few images."""

import runpy
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from training import cli
from training.course import page
from training.course.plan import load
from training.course.run import run

COPIES = 3
"""600 images make 1,800: 1,000 for validation, and 800 to train on, though it asks for 4,000."""


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory,
    sample: dict[str, np.ndarray],
    write_idx: Callable[..., None],
) -> Path:
    """The repository's digits, repeated, under the names of three data sets."""
    root = tmp_path_factory.mktemp("course-data")
    rng = np.random.default_rng(0)
    for folder, stems in {
        "MNIST": {"train": "train", "test": "t10k"},
        "FashionMNIST": {"train": "train", "test": "t10k"},
        "EMNIST": {"train": "emnist-subset-train", "test": "emnist-subset-test"},
    }.items():
        for part, stem in stems.items():
            copies = COPIES if part == "train" else 1
            images = np.tile(sample[f"{part}_images"], (copies, 1, 1))
            labels = np.tile(sample[f"{part}_labels"], copies)
            if folder == "EMNIST":
                labels = rng.permutation(np.arange(len(images)) % 47)
            write_idx(root / f"{folder}/raw/{stem}-images-idx3-ubyte", images)
            write_idx(root / f"{folder}/raw/{stem}-labels-idx1-ubyte", labels)
    return root


def in_this_process(words: Sequence[str], root: Path, tell: Callable[[str], None]) -> int:
    """As a process would, without the seconds that each takes to import PyTorch."""
    _, module, *arguments = words
    if arguments[0] == "sweep":
        arguments.append("--jobs=1")  # or it starts two processes itself
    said = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setenv("GLYPHSCOPE_DATA", str(root))
        patch.setattr(sys, "argv", [module, *arguments])
        try:
            if module == "training.cli":
                cli.main()
            else:
                runpy.run_module(module, run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    tell(said.getvalue())
    return code


@pytest.mark.slow
@pytest.mark.parametrize("letter", "acdfgijkl")
def test_every_experiment_runs(letter: str, root: Path, tmp_path: Path) -> None:
    [experiment] = load([letter])
    records = run(experiment, tmp_path, root, True, in_this_process, lambda line: None)
    assert [r.command for r in records if r.state == "failed"] == []
    assert page.write([(experiment, records)], tmp_path, short=True).stat().st_size > 5000
