"""How many processes fit: the cores and the memory that this process may use.

A container sees all cores and all memory of its machine; what it may use is in its control group
(cgroup v2: docs.kernel.org/admin-guide/cgroup-v2, ``cpu.max`` and ``memory.max``), and a limit of a
group holds for all below it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

PROCESS_BYTES = 640 * 2**20
"""One that serves and the one that analyses beside it; the shipped models take 500 MiB together."""

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")


def default_workers(gpus: int) -> int:
    """One a GPU; without one, one a core."""
    return gpus or fitting(cores(), memory())


def fitting(cores: int, memory: int) -> int:
    """One a core, where memory has room for them."""
    return max(1, min(cores, memory // PROCESS_BYTES))


def cores(groups: Path = GROUPS, own: Path = OWN_GROUP, usable: int | None = None) -> int:
    """Whole ones: a process that computes on a part of a core is halted for the rest."""
    found = float(usable or _affinity())
    for line in _limits(groups, own, "cpu.max"):
        quota, _, period = line.partition(" ")
        found = min(found, int(quota) / int(period or 100_000))
    return max(1, int(found))


def memory(groups: Path = GROUPS, own: Path = OWN_GROUP) -> int:
    """Bytes."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([installed, *(int(line) for line in _limits(groups, own, "memory.max"))])


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _limits(groups: Path, own: Path, name: str) -> Iterator[str]:
    """What the file says in this process's group and in those above, where it sets a limit."""
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return
    for path in (line.removeprefix("0::/") for line in lines if line.startswith("0::/")):
        home = groups / path
        for group in [home, *home.parents]:
            if not group.is_relative_to(groups):
                break
            try:
                text = (group / name).read_text().strip()
            except OSError:  # the root has none
                continue
            if text and not text.startswith("max"):
                yield text
