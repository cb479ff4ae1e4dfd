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
from training.course.run import Call, run

FEWER = {"--set=split.train=4000": "200", "--set=split.validation=1000": "100"}
"""What the short form says of images -> what is said here: the repository has 600."""


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory,
    sample: dict[str, np.ndarray],
    write_idx: Callable[..., None],
) -> Path:
    """The repository's digits under the names of three data sets."""
    root = tmp_path_factory.mktemp("course-data")
    rng = np.random.default_rng(0)
    for folder, stems in {
        "MNIST": {"train": "train", "test": "t10k"},
        "FashionMNIST": {"train": "train", "test": "t10k"},
        "EMNIST": {"train": "emnist-subset-train", "test": "emnist-subset-test"},
    }.items():
        for part, stem in stems.items():
            images, labels = sample[f"{part}_images"], sample[f"{part}_labels"]
            if folder == "EMNIST":
                labels = rng.permutation(np.arange(len(images)) % 47)
            write_idx(root / f"{folder}/raw/{stem}-images-idx3-ubyte", images)
            write_idx(root / f"{folder}/raw/{stem}-labels-idx1-ubyte", labels)
    return root


def in_this_process() -> Call:
    """As processes would, without the seconds that each takes to import PyTorch. One training of an
    experiment is judged on test images: the report takes longer than such a training."""
    judged = False

    def call(words: Sequence[str], root: Path, tell: Callable[[str], None]) -> int:
        nonlocal judged
        _, module, *rest = words
        arguments = [f"{w.rpartition('=')[0]}={FEWER[w]}" if w in FEWER else w for w in rest]
        if arguments[0] == "sweep":
            arguments.append("--jobs=1")  # or it starts two processes itself
        if arguments[0] == "fit":
            arguments += ["--no-test"] if judged else []
            judged = True
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

    return call


@pytest.mark.slow
@pytest.mark.parametrize("letter", "acdfgijkl")
def test_every_experiment_runs(letter: str, root: Path, tmp_path: Path) -> None:
    [experiment] = load([letter])
    records = run(experiment, tmp_path, root, True, in_this_process(), lambda line: None)
    assert [r.command for r in records if r.state == "failed"] == []
    assert page.write([(experiment, records)], tmp_path, short=True).stat().st_size > 5000
