import gzip
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from training import cli, experiment, recipe
from training.fit import Trainer
from training.observe import Observer
from training.options import console
from training.run import Run

SAMPLE = Path(__file__).parents[1] / "data/mnist-sample.npz"


WriteIdx = Callable[..., None]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def new_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' console as it is where nothing fixes its width; pytest-xdist sets COLUMNS, and
    a console keeps what it was made with."""
    monkeypatch.delenv("COLUMNS", raising=False)
    for name, value in vars(Console()).items():
        monkeypatch.setitem(vars(console), name, value)


def _write_idx(path: Path, values: np.ndarray, packed: bool = True) -> None:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    data = header + values.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    if packed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(data, 1))
    else:
        path.write_bytes(data)


@pytest.fixture(scope="session")
def write_idx() -> WriteIdx:
    """Writes a uint8 array in the format of the official files."""
    return _write_idx


@pytest.fixture(scope="session")
def sample() -> dict[str, np.ndarray]:
    return dict(np.load(SAMPLE))


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory, sample: dict[str, np.ndarray]) -> Path:
    """A data root with 800 real MNIST images in the official files' names and format."""
    root = tmp_path_factory.mktemp("data")
    for part, stem in (("train", "train"), ("test", "t10k")):
        _write_idx(root / f"MNIST/raw/{stem}-images-idx3-ubyte", sample[f"{part}_images"])
        _write_idx(root / f"MNIST/raw/{stem}-labels-idx1-ubyte", sample[f"{part}_labels"])
    return root


@pytest.fixture
def recipe_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "tiny.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """The folder of a small run that read no test set yet; copy it before writing into it."""
    changes = ["split.validation=100", "network.name=mlp", "network.units=[64]", "fit.epochs=4"]
    how = recipe.load("mnist", [*changes, "fit.batch_size=32", "fit.precision=float32"])
    runs = tmp_path_factory.mktemp("runs")
    return experiment.run_recipe(how, data_root, torch.device("cpu"), runs).folder


TINY = [
    "split.validation=100",
    "network.name=mlp",
    "network.units=[64]",
    "network.dropout=0.2",
    "fit.batch_size=32",
    "fit.precision=float32",
    "augment={shift=1}",
]


@pytest.fixture
def start(tmp_path: Path, data_root: Path) -> Callable[..., Trainer]:
    """A trainer of a tiny network on 500 real digits, 15 steps an epoch, in a new run."""

    def make(*changes: str, observers: Sequence[Observer] = ()) -> Trainer:
        how = recipe.load("mnist", [*TINY, *changes])
        run = Run.create(tmp_path / "runs", how)
        return experiment.trainer(run, data_root, torch.device("cpu"), observers=observers)

    return make


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    data_root: Path,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """``glyphscope-train`` in an empty folder; gives (exit code, standard output and error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GLYPHSCOPE_DATA", str(data_root))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["glyphscope-train", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out = capsys.readouterr()
        return int(end.value.code or 0), out.out, out.err

    return run
