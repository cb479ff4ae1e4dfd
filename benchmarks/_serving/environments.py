"""A virtual environment for each peer, made when it is first asked for and kept in a cache."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def cache() -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return root / "glyphscope" / "benchmarks"


def binaries(name: str, requirements: Sequence[str]) -> Path:
    """The bin folder of the environment. Raises ``CalledProcessError`` where pip cannot make it."""
    folder = cache() / name
    wanted = hashlib.sha256("\n".join(requirements).encode()).hexdigest()
    stamp = folder / ".requirements"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"making an environment for {name} ...", flush=True)
        if not (folder / "bin" / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", *requirements]
        subprocess.run(pip, check=True)
        stamp.write_text(wanted)
    return folder / "bin"
