from collections.abc import Callable
from pathlib import Path

import pytest

from training.sweep import engine, plan, run
from training.sweep.cell import Place, Watcher
from training.sweep.plan import Plan
from training.sweep.results import Results

TINY = (
    "split.validation=100",
    "network.name=mlp",
    "network.units=[8]",
    "augment={}",
    "fit.epochs=2",
    "fit.batch_size=50",
    "fit.precision=float32",
)

MakePlan = Callable[..., Plan]
Sweep = Callable[..., Results]


@pytest.fixture(scope="session")
def train_only(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """A data root without test files: whoever reads the test set of a sweep fails."""
    root = tmp_path_factory.mktemp("train-only")
    (root / "MNIST/raw").mkdir(parents=True)
    for path in (data_root / "MNIST/raw").glob("train-*"):
        (root / "MNIST/raw" / path.name).symlink_to(path)
    return root


@pytest.fixture
def make_plan() -> MakePlan:
    def make(*over: str, replicates: int = 2, changes: tuple[str, ...] = ()) -> Plan:
        return plan.plan("mnist", [*TINY, *changes], over, replicates)

    return make


@pytest.fixture
def sweep(train_only: Path) -> Sweep:
    def go(what: Plan, out: Path, jobs: int = 1, watcher: Watcher | None = None) -> Results:
        where = Place(out, train_only, "cpu", jobs, threads=1)
        return run.sweep(what, where, engine.local, watcher or Watcher())

    return go
