"""How trainings share the cores; and what the command says of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.training.sweep.conftest import TINY
from training import cli
from training.sweep import engine, run


@pytest.fixture
def threads() -> Iterator[None]:
    """As many as there were, whatever a test sets."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("jobs", "own", "threads_each"),
    [
        (1, 8, 8),
        (2, 8, 4),
        (3, 8, 2),
        (16, 8, 1),
        (1, 1, 1),  # OMP_NUM_THREADS=1
        (2, 3, 3),
        (4, 3, 2),
    ],
)
def test_a_training_has_its_share_of_the_cores_and_never_more_threads_than_pytorch_takes(
    jobs: int, own: int, threads_each: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine, "cores", lambda: 8)
    torch.set_num_threads(own)
    assert run.place(tmp_path, tmp_path, "cpu", jobs).threads == threads_each


@pytest.mark.parametrize(("cores", "cells", "jobs"), [(2, 9, 2), (4, 3, 3), (64, 100, 8)])
def test_by_default_a_training_a_core(
    cores: int, cells: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "cores", lambda: cores)
    assert run.default_jobs("cpu", cells) == jobs


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="has no affinity")
def test_cores_are_those_that_may_be_used() -> None:
    own = os.sched_getaffinity(0)
    assert engine.cores() == len(own)
    try:
        os.sched_setaffinity(0, [min(own)])
        assert engine.cores() == 1
    finally:
        os.sched_setaffinity(0, own)


def test_one_training_is_no_trainings(train_only: Path, tmp_path: Path) -> None:
    changes = [f"--set={change}" for change in (*TINY, "fit.epochs=1")]
    where = ["--data", str(train_only), "--out", str(tmp_path / "out")]
    over = ["--over=fit.batch_size=250", "--replicates", "1"]
    done = CliRunner(env={"COLUMNS": "200"}).invoke(
        cli.app, ["sweep", "mnist", *changes, *over, *where]
    )
    assert done.exit_code == 0, done.output
    assert f"{tmp_path / 'out'}: 1 training, 1 at a time" in done.stdout


def test_help_says_how_many_at_a_time() -> None:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, ["sweep", "--help"])
    said = " ".join(done.stdout.replace("│", " ").split())
    assert "one a core that may be used, at most 8" in said
    assert "at most OMP_NUM_THREADS each" in said
