"""How a process beside the server leaves the cores to it.

Outside of a control group Linux gives every session the same share of the time, and a niceness
counts only inside of one (sched(7), "The autogroup feature"). The processes that a server starts
have a session each, so the session has to be nice as well.
"""

import os
from contextlib import suppress
from pathlib import Path

GROUP = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Of the calling process, and of its session where it leads one."""
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        # Not on this system, or not so often: the kernel takes ten changes a second.
        with suppress(OSError):
            GROUP.write_text(f"{os.nice(0)}\n")
