import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.processes.niceness import GROUP, command

CODE = """
import os
from service.processes import niceness
niceness.give_way(7)
print(os.nice(0), niceness.GROUP.read_text() if niceness.GROUP.exists() else "")
"""


@pytest.mark.parametrize("alone", [True, False])
def test_a_session_of_its_own_is_nice_as_a_whole(alone: bool) -> None:
    found = subprocess.run(
        [sys.executable, "-c", CODE],
        start_new_session=alone, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert int(found[0]) == min(19, os.nice(0) + 7)
    if not GROUP.exists():
        pytest.skip("the kernel schedules no sessions")
    # That of somebody else's session, a shell's for one, is theirs to set. The system's first
    # session is no group of its own: its file is empty.
    own = len(found) > 1 and found[-1] == found[0]
    assert own is alone


def test_a_module_is_nice_from_its_first_import_on(tmp_path: Path) -> None:
    (tmp_path / "brought.py").write_text("import os; NICENESS = os.nice(0)")
    (tmp_path / "main.py").write_text(
        "import brought, sys; print(brought.NICENESS, sys.argv[1:], __name__)"
    )
    found = subprocess.run(
        command(7, "main", "--one", "two"),
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parents[3]}:{tmp_path}"},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert found == f"{min(19, os.nice(0) + 7)} ['--one', 'two'] __main__\n"
