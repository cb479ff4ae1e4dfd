"""All that a process which serves will need, imported once; the process that has done so is forked.

Nothing of what is imported is garbage, so the collector rests meanwhile (a fifth of the time), and
later looks at none of it: pages that nobody writes to stay shared.
"""

import gc

gc.disable()

# multiprocessing runs the main module anew in each process that is forked: the command's.
from service import cli  # noqa: E402
from service.processes import serving  # noqa: E402

gc.freeze()
gc.enable()

__all__ = ["cli", "serving"]
