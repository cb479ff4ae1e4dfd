"""torch-lucent 0.1.8, run as it is, in a virtual environment of its own in the user's cache.

It wants versions of other packages that ours cannot share, hence the environment; torch itself it
sees through a path file. Where it cannot be installed, its rows say so.
"""

import json
import os
import subprocess
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import torch as tensors

from benchmarks._serving.environments import cache
from benchmarks.maximising.methods import Draw
from glyphscope.checkpoint import Checkpoint
from glyphscope.picture import Pixels

WITH_ITS_OWN = ("torch-lucent==0.1.8", "kornia==0.4.1")
"""Without their dependencies, which would bring another torch."""

AND = ("ipython>=8,<10", "tqdm>=4.60,<5", "decorator>=5,<6", "future>=1,<2")

ROOT = Path(__file__).parents[2]


class Absent(Exception):
    """It is not to be had here; why is the message."""


def lucent(standard: bool) -> Draw:
    """With its own transforms, or with none. What it draws with raises ``Absent``."""

    def draw(
        checkpoint: Checkpoint, layer: str, units: Sequence[int], seeds: Sequence[int]
    ) -> Pixels:
        python = _environment(cache() / "lucent")
        spec = checkpoint.manifest.input
        job = {
            "network": checkpoint.manifest.network.model_dump(mode="json"),
            "mean": spec.mean[0],
            "std": spec.std[0],
            "layer": layer,
            "units": list(units),
            "seeds": list(seeds),
            "standard": standard,
        }
        state = {key: value.contiguous() for key, value in checkpoint.network.state_dict().items()}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            tensors.save_file(state, folder / "weights.safetensors")
            (folder / "job.json").write_text(json.dumps(job))
            _run([python, "-m", "benchmarks.maximising.lucent_program", name])
            found = np.load(folder / "pictures.npy")
        pixels: Pixels = (found.clip(0, 1) * 255).round().astype(np.uint8)[:, :, None]
        return pixels

    return draw


LUCENT: dict[str, Draw] = {
    "torch-lucent, own transforms": lucent(standard=True),
    "torch-lucent, no transforms": lucent(standard=False),
}


def _environment(folder: Path) -> str:
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, clear=True, with_pip=True)
        [site] = folder.glob("lib/python3*/site-packages")
        (site / "host.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        install = [str(python), "-m", "pip", "install", "--quiet"]
        _run([*install, "--no-deps", *WITH_ITS_OWN])
        _run([*install, *AND])
        (folder / "ready").touch()
    return str(python)


def _run(command: Sequence[str]) -> None:
    paths = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=paths, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise Absent(f"torch-lucent cannot be run here: {last}")
