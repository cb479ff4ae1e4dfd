from functools import partial
from pathlib import Path
from shutil import copytree

import pytest

from glyphscope.store import Store
from tests.training.conftest import Call
from training import publish as publishing
from training.evaluate import evaluate
from training.run import Run


@pytest.fixture
def call(call: Call, tmp_path: Path, trained_run: Path) -> Call:
    """Where runs/mine is."""
    copytree(trained_run, tmp_path / "runs/mine")
    return partial(call, "evaluate")


def test_a_run_is_judged_once_and_shown_again(call: Call, tmp_path: Path) -> None:
    code, first, err = call("mine", "--quick", "--no-report")
    assert code == 0, err
    assert "test accuracy (mnist, n = 200)" in first
    assert "told from strangers" in first
    assert not (tmp_path / "runs/mine/report.html").exists()
    code, again, _ = call("mine", "--data", "nowhere")
    assert code == 0
    assert first.strip() in again
    assert "quick evaluation that was recorded" in again
    assert "report: runs/mine/report.html" in again
    (tmp_path / "runs/mine/evaluation.json").unlink()
    assert "before there were reports" in call("mine", "--data", "nowhere")[1]


def test_validation_images_may_be_looked_at_as_often_as_one_likes(
    call: Call, tmp_path: Path
) -> None:
    for _ in range(2):
        code, out, err = call("mine", "--quick", "--split", "validation", "--no-report")
        assert code == 0, err
        assert "validation accuracy (mnist, validation, n = 100)" in out
    assert not (tmp_path / "runs/mine/metrics.json").exists()


def test_a_published_model_is_judged_beside_the_runs(
    call: Call, tmp_path: Path, data_root: Path
) -> None:
    run = Run.open(tmp_path / "runs/mine")
    accuracy = evaluate(run, data_root).metrics.accuracy
    publishing.publish(run, Store(tmp_path / "store"), data_root, "tiny", "production")
    options = ("--store", "store", "--quick", "--no-report")
    code, out, err = call("tiny", *options)
    assert code == 0, err
    assert f"test accuracy (mnist, n = 200)  {accuracy:.2%}" in " ".join(out.split(" "))
    assert (tmp_path / "runs/tiny@1/evaluation.json").exists()
    assert call("tiny@1", *options, "--data", "nowhere")[0] == 0
    code, _, err = call("tiny@1", *options, "--dataset", "fashion-mnist")
    assert code == 2
    assert "fashion-mnist has other classes than tiny@1" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "unknown run or model 'nothing'; known: mine"),
        (["./nothing"], "unknown run"),
        (["mine", "--split", "train"], "unknown split 'train'; known: test, validation"),
        (["mine", "--dataset", "mnist"], "--dataset is for published models"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(call: Call, arguments: list[str], said: str) -> None:
    code, _, err = call(*arguments)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
