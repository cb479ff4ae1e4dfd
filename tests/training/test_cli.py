import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from glyphscope import checkpoint
from glyphscope.store import Store
from tests.training.conftest import Call
from training import cli

SMALL = [
    "--set=split.validation=100",
    "--set=network.name=mlp",
    "--set=network.units=[32]",
    "--set=fit.epochs=2",
    "--set=fit.batch_size=50",
]


def run_folder(out: str) -> str:
    found = re.search(r"run (\S+)", out)
    assert found
    return found[1]


def test_fit_then_publish_then_load(call: Call, tmp_path: Path) -> None:
    code, out, err = call("fit", "mnist", *SMALL)
    assert code == 0, err
    run = Path(run_folder(out))
    assert "test accuracy (mnist, n = 200)" in out
    for picture in ("curves.png", "confusion.png"):
        with Image.open(run / picture) as image:
            assert image.size[0] > 300
    assert [e["epoch"] for e in json.loads((run / "history.json").read_text())] == [1, 2]

    code, out, err = call("publish", str(run), "--name", "tiny")
    assert code == 0, err
    store = Store(tmp_path / "checkpoints")
    found = checkpoint.load(store.path(store.resolve("tiny")))
    assert found.manifest.training
    assert found.manifest.training.train_images == 500
    assert found.manifest.onnx
    assert found.manifest.onnx.max_abs_difference < 1e-4
    assert set(found.manifest.files) == {
        "model.safetensors", "first_layer.safetensors", "model.onnx",
        "history.json", "examples.safetensors", "MODEL_CARD.md", "example_images.png",
        "example_images.safetensors", "statistics.safetensors", "embedding.safetensors",
        "confusions.safetensors",
    }  # fmt: skip
    assert call("publish", run.name, "--name", "tiny")[0] == 0
    assert store.versions("tiny") == [1, 2]
    assert store.resolve("tiny").version == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "minst"], "unknown recipe 'minst'; known: cifar10, cifar10-cnn, cifar10-fast"),
        (["fit", "mnist", "--set", "fit.epoch=1"], "unknown key 'fit.epoch'"),
        (
            ["fit", "mnist", *SMALL, "--set=network.kernel=3"],
            "unknown knob of network mlp 'kernel'",
        ),
        (["fit", "mnist"], "cannot hold 5000 of 600 images out for validation"),
        (["publish", "nothing"], "unknown run or model 'nothing'"),
        (["fit", "mnist", "--device", "tpu"], "unknown device 'tpu'; known: auto, cpu, cuda"),
        (["fit", "emnist"], "this split is no official one that could be downloaded"),
        (["evaluate", "nothing"], "unknown run"),
        (["fit", "mnist", *SMALL, "--resume"], "unknown unfinished run of recipe 'mnist'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(call: Call, arguments: list[str], said: str) -> None:
    code, _, err = call(*arguments)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_run_that_was_not_evaluated_is_not_published(call: Call) -> None:
    _, out, _ = call("fit", "mnist", *SMALL, "--no-test")
    run = run_folder(out)
    code, _, err = call("publish", run)
    assert code == 2
    assert "has not been evaluated" in err
    assert call("evaluate", run)[0] == 0


def test_option_beats_environment_beats_file(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "glyphscope.toml").write_text('[train]\nruns = "from-file"\n')
    assert "run from-file/" in call("fit", "mnist", *SMALL, "--no-test")[1]
    monkeypatch.setenv("GLYPHSCOPE_RUNS", "from-env")
    assert "run from-env/" in call("fit", "mnist", *SMALL, "--no-test")[1]
    assert "run here/" in call("fit", "mnist", *SMALL, "--no-test", "--runs", "here")[1]


def test_what_there_is_is_told_without_pytorch() -> None:
    code = "import sys; from training import cli; cli.app(['--help'], standalone_mode=False);"
    done = subprocess.run(
        [sys.executable, "-c", code + "print('torch' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "visualise" in done.stdout
    assert done.stdout.endswith("False\n")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_list_says_of_each_what_its_own_help_begins_with(name: str) -> None:
    described = " ".join(str(cli.command(name).help).split())
    assert described.startswith(cli.COMMANDS[name].rstrip("."))


def test_a_command_that_is_not_there(call: Call) -> None:
    code, _, told = call("fti")
    assert code == 2
    assert "Did you mean 'fit'?" in told
