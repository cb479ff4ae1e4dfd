"""Over a Ray of this machine's own, in a process of its own: what Ray starts must be gone after."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from glyphscope.errors import InvalidRecipe
from tests.conftest import require
from training import cli
from training.sweep import run

ROOT = Path(__file__).parents[3]

ARGUMENTS = [
    "sweep", "mnist", "--jobs", "1", "--replicates", "1", "--set=split.validation=100",
    "--set=network.name=mlp", "--set=network.units=[8]", "--set=fit.epochs=2",
    "--set=fit.batch_size=50", "--set=fit.precision=float32", "--set=optimiser.name=sgd",
    "--set=schedule.name=constant", "--set=augment={}",
    "--over=optimiser.learning_rate=0.1,1e12",
]  # fmt: skip


def over_ray(out: Path, data: Path) -> subprocess.CompletedProcess[str]:
    where = ["--data", str(data), "--out", str(out), "--engine", "ray"]
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "training.cli", *ARGUMENTS, *where],
        cwd=ROOT, env={**os.environ, "COLUMNS": "200"}, text=True, capture_output=True,
        check=False, start_new_session=True,
    )  # fmt: skip


def locally(out: Path, data: Path) -> Result:
    """In this process."""
    arguments = [*ARGUMENTS, "--data", str(data), "--out", str(out)]
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, arguments)


@pytest.mark.slow
def test_ray_finds_what_one_process_finds_and_leaves_nothing_behind(
    train_only: Path, tmp_path: Path
) -> None:
    if find_spec("ray") is None:
        require("ray", 'Ray is not installed: pip install "ray[tune]"')
    done = over_ray(tmp_path / "ray", train_only)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert locally(tmp_path / "local", train_only).exit_code == 0
    theirs, here = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("ray", "local")
    )
    for cell in (*theirs["cells"], *here["cells"]):
        del cell["seconds"]
    assert theirs == here
    assert [cell["state"] for cell in here["cells"]] == ["done", "diverged"]
    assert {path.name for path in (tmp_path / "ray").iterdir()} == {
        path.name for path in (tmp_path / "local").iterdir()
    }
    # What Ray has trained is known to whoever goes on.
    assert "2 finished before" in locally(tmp_path / "ray", train_only).stdout


def test_without_ray_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "training.sweep.ray_tune", raising=False)
    with pytest.raises(InvalidRecipe, match=r'pip install "ray\[tune\]"'):
        run.engine("ray")
