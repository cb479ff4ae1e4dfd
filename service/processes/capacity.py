"""How many processes fit: the cores and the memory that this process may use.

A container sees all cores and all memory of its machine; what it may use is in its control group,
and a limit of a group holds for all below it (docs.kernel.org/admin-guide: cgroup-v2, ``cpu.max``
and ``memory.max``; cgroup-v1, ``cpu.cfs_quota_us`` and ``memory.limit_in_bytes``, a tree each).
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
    for group in _groups(groups, own, "cpu"):
        quota, _, period = _read(group / "cpu.max").partition(" ")
        quota = quota or _read(group / "cpu.cfs_quota_us")
        period = period or _read(group / "cpu.cfs_period_us")
        if quota.isdecimal():
            found = min(found, int(quota) / int(period or 100_000))
    return max(1, int(found))


def memory(groups: Path = GROUPS, own: Path = OWN_GROUP) -> int:
    """Bytes."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for group in _groups(groups, own, "memory"):
        limit = _read(group / "memory.max") or _read(group / "memory.limit_in_bytes")
        if limit.isdecimal():
            found = min(found, int(limit))
    return found


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _groups(groups: Path, own: Path, controller: str) -> Iterator[Path]:
    """This process's group and those above it: of version 2, and of the controller's own tree."""
    for line in _read(own).splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            root = groups
        elif controller in controllers.split(","):
            root = groups / controller
        else:
            continue
        home = root / path.removeprefix("/")
        yield from (each for each in [home, *home.parents] if each.is_relative_to(root))


def _read(file: Path) -> str:
    """Empty where there is none: the root has no limits, and a system without groups no files."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
