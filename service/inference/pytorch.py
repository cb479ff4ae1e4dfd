"""PyTorch in this process: brought when it is needed, since to import it takes most of a start.

here()      whether it is
read(...)   a checkpoint with its network; the first call imports PyTorch, which takes seconds
"""

import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from service.processes.collector import at_rest

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint

_bringing = threading.Lock()


def here() -> bool:
    return "torch" in sys.modules


def read(folder: Path, device: str, threads: int) -> "Checkpoint":
    """Raises ``BrokenCheckpoint``. ``threads``: of each forward pass from now on."""
    with _bringing, nullcontext() if here() else at_rest():
        import torch

        from glyphscope.checkpoint import load

        # Before a first pass this is for every thread: each takes it over when it first computes.
        torch.set_num_threads(threads)
    return load(folder, device)
