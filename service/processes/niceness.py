"""How a process beside the server leaves the cores to it.

    python -m service.processes.niceness N MODULE ...   MODULE, nice from its first import on

Outside of a control group Linux gives every session the same share of the time, and a niceness
counts only inside of one (sched(7), "The autogroup feature"). The processes that a server starts
have a session each, so the session has to be nice as well.
"""

import os
import runpy
import sys
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


def command(niceness: int, module: str, *arguments: str) -> list[str]:
    """What runs a module that way. To import a framework takes a core for seconds."""
    # Without -P a folder "service" where somebody happens to stand would be taken for this package.
    return [sys.executable, "-P", "-m", __name__, str(niceness), module, *arguments]


def main() -> None:
    _, niceness, module, *arguments = sys.argv
    give_way(int(niceness))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
