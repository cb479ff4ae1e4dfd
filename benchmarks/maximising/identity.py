"""Mark 5: the same bytes alone, in any batch, on any number of cores and in another process."""

import hashlib
import subprocess
import sys
from pathlib import Path

import torch

from glyphscope.checkpoint import Checkpoint, load
from glyphscope.visualise import MaximisationRequest, maximise

CASES = (("logits", (0, 1, 2, 3, 4, 5)), ("block2.conv1", (5, 9, 17)))
SEED = 9000


def same(checkpoint: Checkpoint, folder: Path) -> tuple[int, int]:
    """How many pictures were the same wherever they were made, of how many."""
    command = [sys.executable, "-m", "benchmarks.maximising.identity", str(folder)]
    root = Path(__file__).parents[2]
    elsewhere = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    together = digests(checkpoint)
    alone = [_digests(checkpoint, layer, (unit,))[0] for layer, units in CASES for unit in units]
    found = [len({*of}) == 1 for of in zip(together, alone, elsewhere.stdout.split(), strict=True)]
    return sum(found), len(found)


def digests(checkpoint: Checkpoint) -> list[str]:
    return [d for layer, units in CASES for d in _digests(checkpoint, layer, units)]


def _digests(checkpoint: Checkpoint, layer: str, units: tuple[int, ...]) -> list[str]:
    request = MaximisationRequest(layer=layer, units=units, seed=SEED)
    images = maximise(checkpoint, request)
    return [hashlib.sha256(image.pixels.tobytes()).hexdigest() for image in images]


if __name__ == "__main__":
    torch.set_num_threads(2)
    print("\n".join(digests(load(Path(sys.argv[1])))))
