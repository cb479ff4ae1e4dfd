"""What the two commands say when they cannot start: one line, and an exit code."""

import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from service import cli
from service.maximise import worker

Run = Callable[..., tuple[int, str]]

COMMANDS = {"serve": cli.app, "worker": worker.app}


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """A command takes the process's signals and its log."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.fixture(params=COMMANDS)
def run(request: pytest.FixtureRequest) -> Run:
    def run(*options: str) -> tuple[int, str]:
        answer = CliRunner().invoke(COMMANDS[request.param], options)
        return answer.exit_code, answer.stderr

    return run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--device", "abacus"], ("device", "abacus")),
        (["--queue", "amqp://x"], ("queue", "redis")),
        (["--log-level", "loud"], ("log_level", "debug")),
    ],
)
def test_bad_options(run: Run, options: list[str], words: tuple[str, ...]) -> None:
    code, told = run(*options)
    assert code == 2
    [line] = told.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def test_an_unknown_option(run: Run) -> None:
    code, told = run("--colour", "red")
    assert code == 2
    assert "--colour" in told


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none(run: Run, tmp_path: Path) -> None:
    code, told = run("--device", "cuda", "--state", str(tmp_path / "state"))
    assert (code, len(told.splitlines())) == (2, 1)
    assert "--device cpu" in told


def test_a_file_of_settings_that_cannot_be_read(run: Run) -> None:
    Path("glyphscope.toml").write_text("[serve")
    code, told = run()
    assert code == 2
    assert "glyphscope.toml" in told


def test_a_state_folder_that_cannot_be(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, told = run("--state", str(tmp_path / "file" / "state"), "--device", "cpu")
    assert (code, len(told.splitlines())) == (1, 1)
    assert str(tmp_path / "file") in told


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7"])
def test_an_address_that_is_not_here(host: str, tmp_path: Path) -> None:
    options = ["--host", host, "--port", "0", "--device", "cpu", "--state", str(tmp_path / "state")]
    answer = CliRunner().invoke(cli.app, options)
    assert answer.exit_code == 1
    assert f"cannot listen on {host}" in answer.stderr
