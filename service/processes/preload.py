"""All that a process which serves will need, imported once; the process that has done so is forked.

The collector looks at none of it, so pages that nobody writes to stay shared. That is why PyTorch
is among it, which a process on its own does without at first: 120 MB in each process, or once.
"""

from service.processes.collector import at_rest

with at_rest():
    # multiprocessing runs the main module anew in each process that is forked: the command's.
    from service import cli
    from service.inference import hearing, torch_network
    from service.processes import serving

__all__ = ["cli", "hearing", "serving", "torch_network"]
