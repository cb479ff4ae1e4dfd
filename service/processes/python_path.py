"""Where a child process finds this package."""

import os
from pathlib import Path


def python_path() -> str:
    """``PYTHONPATH`` by which it is found where it lies, installed or in a checkout."""
    here = str(Path(__file__).parents[2])
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([here, before] if before else [here])
