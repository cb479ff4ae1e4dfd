"""The image is built, runs locked up, answers, and ends on SIGTERM."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import require

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

LOCKED_UP = [
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
]


@pytest.mark.slow
@pytest.mark.container
def test_the_image_answers_read_only_and_without_privileges() -> None:
    smoke = shlex.join([sys.executable, "-m", "pytest", "-q", str(HERE / "smoke.py")])
    command = [*checker(), "--context", str(ROOT), "--exec", smoke, "--", *LOCKED_UP]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def checker() -> list[str]:
    """GLYPHSCOPE_CONTAINER_CHECK names a program that takes run.py's place and arguments.

    To build an image takes minutes and gigabytes, so nobody gets it from ``make test`` unasked.
    """
    if program := os.environ.get("GLYPHSCOPE_CONTAINER_CHECK"):
        return [program]
    if "container" not in os.environ.get("GLYPHSCOPE_REQUIRE", "").split(","):
        require("container", "builds an image; `make container-test` does it")
    return [sys.executable, str(HERE / "run.py")]
