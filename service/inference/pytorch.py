"""PyTorch in this process: brought when it is needed, since to import it takes most of a start.

here()      whether it is
read(...)   a checkpoint with its network; the first call imports PyTorch, which takes seconds
"""

import sys
import threading
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
    _bring(threads)
    from glyphscope.checkpoint import load

    return load(folder, device)


def _bring(threads: int) -> None:
    with _bringing:
        if here():
            import torch
        else:
            with at_rest():
                import torch

                import glyphscope.checkpoint  # noqa: F401
        # Before a first pass this is for every thread: each takes it over when it first computes.
        torch.set_num_threads(threads)
