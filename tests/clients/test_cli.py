"""The commands as a user runs them, against a real service."""

import json
import os
import pty
import signal
import subprocess
import sys
from io import RawIOBase
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file
from typer.testing import CliRunner, Result

from clients import Client
from clients.cli import app
from clients.errors import Unfinished

ROOT = Path(__file__).parents[2]

Digits = NDArray[np.uint8]

# A test run in the background hands down a Ctrl+C that is ignored; a user's is not.
IN_FRONT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from clients.cli import main
main()
"""


@pytest.fixture(autouse=True)
def _service(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLYPHSCOPE_URL", url)


@pytest.fixture
def image(tmp_path: Path, digits: Digits) -> Path:
    path = tmp_path / "a [red] digit.png"
    Image.fromarray(digits[0]).save(path)
    return path


def run(*arguments: object, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def answer(*arguments: object, stdin: bytes = b"") -> Any:
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def size(path: Path | str) -> tuple[int, int]:
    with Image.open(path, formats=["PNG"]) as picture:
        return picture.size


def test_models() -> None:
    [row] = [line for line in run("models").stdout.splitlines() if "mnist" in line]
    assert row.split() == ["mnist", "1", "MNIST", "10", "12.50%", "candidate", "=", "2"]
    assert answer("models")[0]["aliases"] == {"production": 1, "candidate": 2}


def test_layers() -> None:
    rows = [line.split() for line in run("layers", "mnist@candidate").stdout.splitlines()]
    assert ["conv1", "conv", "4", "x", "28", "x", "28", "104", "yes", "yes"] in rows
    assert [layer["name"] for layer in answer("layers", "mnist")][-1] == "logits"


def test_classify_names_each_file(image: Path, digits: Digits, tmp_path: Path) -> None:
    np.save(tmp_path / "two.npy", digits[:2])
    (tmp_path / "seven.json").write_text(json.dumps({"strokes": [[[0, 0], [10, 0], [4, 14]]]}))
    files = [image, tmp_path / "two.npy", tmp_path / "seven.json"]
    found = answer("classify", "mnist", *files, "--top-k", 4)
    names = [str(files[0]), f"{files[1]}[0]", f"{files[1]}[1]", str(files[2])]
    assert [one["file"] for one in found] == names
    assert [len(one["prediction"]["top"]) for one in found] == [4] * 4
    as_png, as_npy = (one["prediction"]["top"] for one in found[:2])
    assert [one["label"] for one in as_png] == [one["label"] for one in as_npy]
    table = run("classify", "mnist", *files).stdout
    assert all(name in table for name in names)
    assert "looks like none of its classes" in table


def test_classify_reads_stdin(image: Path) -> None:
    from_file, from_stdin = answer("classify", "mnist", image, "-", stdin=image.read_bytes())
    assert from_stdin["file"] == "-"
    assert from_stdin["prediction"] == from_file["prediction"]


def test_activations_summarise_layers(image: Path, client: Client) -> None:
    rows = run("activations", "mnist", image, "--layers", "conv1, logits").stdout.splitlines()
    names = [row.split()[0] for row in rows if row.strip()]
    assert names[0] == "layer"
    assert names[-2:] == ["conv1", "logits"]
    [found] = answer("activations", "mnist", image, "--layers", "logits")
    expected = client.activations("mnist", ["logits"], images=[image])["logits"]
    np.testing.assert_allclose(found["max"], expected, rtol=1e-5)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_activations_are_written_whole(
    image: Path, client: Client, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / "new" / f"maps{suffix}"
    assert run("activations", "mnist", image, "--out", out).exit_code == 0
    found = dict(np.load(out)) if suffix == ".npz" else load_file(out)
    expected = client.activations("mnist", images=[image])
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[layer], expected[layer]) for layer in expected)


def test_activations_as_a_picture(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert run("activations", "mnist", image, "--out", out).exit_code == 0
    assert min(size(out)) >= 28


def test_maximise_writes_a_picture_a_unit(tmp_path: Path) -> None:
    out = tmp_path / "pictures"
    found = answer(
        "maximise", "mnist", "conv1", "--units", "0, 2-3", "--steps", 4, "--out", out, "--scale", 2
    )
    assert [result["unit"] for result in found["job"]["results"]] == [0, 2, 3]
    assert [Path(path).name for path in found["files"]] == [
        f"mnist-conv1-{unit}.png" for unit in (0, 2, 3)
    ]
    assert all(size(path) == (56, 56) for path in found["files"])


def test_maximise_writes_one_sheet(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    result = run("maximise", "mnist", "conv1", "--steps", 4, "--out", out, "--scale", 1)
    assert result.exit_code == 0, result.stderr
    assert f"written: {out}" in result.stdout
    assert min(size(out)) > 56


def test_maximise_writes_films_and_an_animation(tmp_path: Path) -> None:
    options = ["--units", "1-2", "--steps", 20, "--scale", 2]
    films, moving = tmp_path / "films", tmp_path / "all.webp"
    where = ["--frames", films, "--animation", moving]
    found = answer("maximise", "mnist", "conv1", *options, *where)
    frames = len(found["job"]["frames"])
    assert frames > 4
    expected = [films / f"mnist-conv1-{unit}-film.png" for unit in (1, 2)]
    assert found["files"] == [str(path) for path in [*expected, moving]]
    assert [size(path) for path in expected] == [(56 * frames, 56)] * 2
    with Image.open(moving, formats=["WEBP"]) as animation:
        assert 2 <= animation.n_frames <= frames  # type: ignore[attr-defined]  # equal ones are merged
    table = run("maximise", "mnist", "conv1", *options, *where)
    assert table.exit_code == 0, table.stderr
    assert f"{films}" in table.stdout.replace("\n", "")


def test_maximise_without_waiting(client: Client) -> None:
    found = answer("maximise", "mnist", "conv1", "--units", 3, "--steps", 20, "--no-wait")
    assert client.wait(client.maximisation(found["job"]["id"])).status == "done"
    again = run("maximise", "mnist", "conv1", "--units", 3, "--steps", 20, "--no-wait")
    assert again.stdout.split() == [found["job"]["id"], "done"]


def test_ctrl_c_cancels_the_job(client: Client, tmp_path: Path, url: str) -> None:
    options = ["--steps", "4096", "--seed", "5", "--out", str(tmp_path / "never"), "--url", url]
    command = [sys.executable, "-c", IN_FRONT, "maximise", "mnist", "conv2", *options]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    started = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=theirs)
    os.close(theirs)
    with started as process, open(ours, "rb", buffering=0) as terminal:
        # The bar can say how many steps there are once the command has its job.
        read_until(terminal, b"/4096")
        job = client.start_maximisation("mnist", "conv2", "all", steps=4096, seed=5)
        process.send_signal(signal.SIGINT)
        read_until(terminal, b"stopped")
        assert process.wait(60) == 130
    with pytest.raises(Unfinished) as caught:
        client.wait(client.maximisation(job.id))
    assert caught.value.status == "cancelled"
    assert not (tmp_path / "never").exists()


def read_until(stream: RawIOBase, text: bytes) -> None:
    seen = b""
    while text not in seen:
        try:
            seen += stream.read(4096) or b""
        except OSError:  # how a terminal on Linux says that nobody is left at its other end
            pytest.fail(f"ended without {text!r}: {seen!r}")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["layers", "nothing"], "unknown model 'nothing'; known: mnist"),
        (["classify", "mnist@9", "{image}"], "unknown version of model mnist '9'; known: 1, 2"),
        (["classify", "mnist", "/no/such.png"], "/no/such.png: No such file or directory"),
        (
            ["classify", "mnist", "{folder}/text"],
            "text: these bytes are no PNG",
        ),
        (["classify", "mnist", "{folder}/empty"], "empty: nothing is in it"),
        (["classify", "mnist", "{folder}/bad.npy"], "bad.npy: no npy file that can be read"),
        (["classify", "mnist", "{folder}/bad.json"], "bad.json: must be a list of strokes"),
        (
            ["classify", "mnist", "{image}", "--top-k", "11"],
            "top_k is 11, but mnist has 10",
        ),
        (
            ["activations", "mnist", "{image}", "--layers", "conv9"],
            "unknown layer 'conv9'; known",
        ),
        (["activations", "mnist", "{image}", "--out", "a.txt"], "not '.txt'"),
        (["activations", "mnist", "{image}", "--out", "{folder}/text/a.npz"], "text: File exists"),
        (["maximise", "mnist", "conv1", "--units", "4", "--out", "x"], "layer conv1 '4'"),
        (["maximise", "mnist", "dropout", "--out", "x"], "layer dropout is dropout"),
        (["maximise", "mnist", "conv1", "--preset", "none", "--out", "x"], "#/preset"),
        (["models", "--url", "nowhere"], "'nowhere' is no address of a service"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], reason: str, image: Path, tmp_path: Path
) -> None:
    files = {"text": b"text", "empty": b"", "bad.npy": b"\x93NUMPY\x01\x00\xff", "bad.json": b"{}"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    named = [argument.format(image=image, folder=tmp_path) for argument in arguments]
    result = run(*named)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("units", ["", "a", "1,", "-1", "5-3", "1.5"])
def test_units_that_are_none(units: str) -> None:
    result = run("maximise", "mnist", "conv1", f"--units={units}", "--out", "x")
    assert result.exit_code == 2
    assert "--units" in result.stderr


def test_maximise_needs_to_know_where_to() -> None:
    result = run("maximise", "mnist", "conv1")
    assert result.exit_code == 2
    assert "--out, --frames or --animation" in " ".join(result.stderr.split())


def test_no_service_is_one_line_and_exit_code_1() -> None:
    result = run("models", "--url", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no service answers at http://127.0.0.1:1: ")
    assert result.stderr.count("\n") == 1


def test_help_tells_what_it_can() -> None:
    shown = run("--help").stdout
    assert all(
        name in shown for name in ("models", "layers", "classify", "activations", "maximise")
    )


def test_a_table_in_a_pipe_is_not_cut(image: Path) -> None:
    assert str(image) in run("classify", "mnist", image).stdout
