import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from tests.training.conftest import Call

SMALL = [
    "--set=split.validation=100",
    "--set=network.name=mlp",
    "--set=network.units=[32]",
    "--set=fit.batch_size=25",
    "--set=fit.precision=float32",
    "--set=augment={}",
]


@pytest.fixture
def call(call: Call) -> Call:
    return partial(call, "doctor")


def codes(folder: Path) -> list[str]:
    answer = json.loads((folder / "doctor.json").read_text())
    return [finding["code"] for finding in answer["findings"]]


def test_a_sound_recipe_is_healthy(call: Call, tmp_path: Path) -> None:
    code, out, err = call("mnist", *SMALL)
    assert (code, codes(tmp_path / "doctor/mnist")) == (0, []), err
    assert "healthy" in out
    assert not (tmp_path / "runs").exists()
    page = (tmp_path / "doctor/mnist/index.html").read_text()
    assert page.count("<svg") >= 4
    assert "src=" not in page
    assert "http" not in page


def test_a_recipe_that_steps_too_far_is_told_so(call: Call, tmp_path: Path) -> None:
    steps = ["--set=optimiser.name=sgd", "--set=optimiser.learning_rate=5"]
    code, out, _ = call("mnist", *SMALL, *steps, "--out", "here")
    assert code == 3
    assert codes(tmp_path / "here")[0] == "learning-rate-high"
    assert "Divide it by 10" in out
    with Image.open(tmp_path / "here/1-learning-rate-high.png") as picture:
        assert picture.size[0] > 600


def test_a_recipe_without_activations_is_told_so(call: Call, tmp_path: Path) -> None:
    code, _, err = call("mnist", *SMALL, "--set=network.function=identity")
    assert (code, codes(tmp_path / "doctor/mnist")) == (3, ["activation-missing"]), err


def test_a_sound_run_is_healthy(call: Call, trained_run: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_run, tmp_path / "runs/sound")
    code, out, err = call("sound")
    assert code == 0, out + err
    assert codes(tmp_path / "runs/sound/doctor") == []


def rewrite(run: Path, **changed: list[float]) -> None:
    history = json.loads((run / "history.json").read_text())
    longest = max(map(len, changed.values()))
    epochs = [{**history[0], "epoch": i + 1} for i in range(longest)]
    for key, values in changed.items():
        for epoch, value in zip(epochs, values, strict=True):
            epoch[key] = value
    (run / "history.json").write_text(json.dumps(epochs))


def test_a_run_that_overfitted_is_told_so(call: Call, trained_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained_run, tmp_path / "runs/old"))
    training = [1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01]
    rewrite(run, train_loss=training, validation_loss=[1, 0.6, 0.5, 0.5, 0.6, 1.0, 1.6, 2.0])
    code, out, _ = call(str(run))
    assert (code, codes(run / "doctor")) == (3, ["overfitting"])
    assert "lowest after epoch 3" in out


def test_a_run_that_learned_nothing_is_told_so(
    call: Call, trained_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained_run, tmp_path / "runs/flat"))
    rewrite(run, train_loss=[2.31] * 5, validation_loss=[2.30] * 5)
    assert call(str(run))[0] == 3
    assert codes(run / "doctor") == ["loss-flat"]


def test_a_run_that_diverged_is_told_so(call: Call, trained_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained_run, tmp_path / "runs/lost"))
    event = {"event": "ended", "outcome": "failed: the loss became nan at step 3 of epoch 5"}
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps(event) + "\n")
    assert call(str(run))[0] == 3
    assert codes(run / "doctor") == ["learning-rate-high", "loss-not-finite"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "unknown recipe 'nothing'"),
        (["mnist", "--set", "fit.epoch=1"], "unknown key 'fit.epoch'"),
        (["sound", "--set", "seed=1"], "a run is what it was"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    call: Call, arguments: list[str], said: str, trained_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained_run, tmp_path / "runs/sound")
    code, _, err = call(*arguments)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
