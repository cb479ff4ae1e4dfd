"""Over a Ray of this machine's own, in a process of its own: what Ray starts must be gone after."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from glyphscope.errors import InvalidRecipe
from tests.conftest import require
from training.sweep import run

ROOT = Path(__file__).parents[3]

COMMAND = [
    sys.executable, "-W", "error", "-m", "training.cli", "sweep", "mnist", "--replicates", "1",
    "--set=split.validation=100", "--set=network.name=mlp", "--set=network.units=[8]",
    "--set=fit.epochs=2", "--set=fit.batch_size=50", "--set=fit.precision=float32",
    "--set=optimiser.name=sgd", "--set=schedule.name=constant", "--set=augment={}",
    "--over=optimiser.learning_rate=0.1,1e12",
]  # fmt: skip


def sweep(out: Path, data: Path, engine: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--data", str(data), "--out", str(out), "--engine", engine, "--jobs=1"],
        cwd=ROOT, env={**os.environ, "COLUMNS": "200"}, text=True, capture_output=True,
        check=False, start_new_session=True,
    )  # fmt: skip


@pytest.mark.slow
def test_ray_finds_what_one_process_finds_and_leaves_nothing_behind(
    train_only: Path, tmp_path: Path
) -> None:
    if find_spec("ray") is None:
        require("ray", 'Ray is not installed: pip install "ray[tune]"')
    done = sweep(tmp_path / "ray", train_only, "ray")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert sweep(tmp_path / "local", train_only, "local").returncode == 0
    over_ray, here = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("ray", "local")
    )
    for cell in (*over_ray["cells"], *here["cells"]):
        del cell["seconds"]
    assert over_ray == here
    assert [cell["state"] for cell in here["cells"]] == ["done", "diverged"]
    assert {path.name for path in (tmp_path / "ray").iterdir()} == {
        path.name for path in (tmp_path / "local").iterdir()
    }
    again = sweep(tmp_path / "ray", train_only, "ray")
    assert "2 finished before" in again.stdout


def test_without_ray_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "training.sweep.ray_tune", raising=False)
    with pytest.raises(InvalidRecipe, match=r'pip install "ray\[tune\]"'):
        run.engine("ray")
