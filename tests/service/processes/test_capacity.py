"""How many processes fit, by control groups as a kernel shows them."""

from pathlib import Path

import pytest

from service.processes import capacity


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    """A machine's; this process is in /pod/container."""
    (tmp_path / "own").write_text("0::/pod/container\n")
    (tmp_path / "pod" / "container").mkdir(parents=True)
    return tmp_path


def limit(group: Path, **values: str) -> None:
    for name, value in values.items():
        (group / name.replace("_", ".")).write_text(value + "\n")


def cores(groups: Path) -> int:
    return capacity.cores(groups, groups / "own", 8)


def test_all_that_it_may_run_on(groups: Path) -> None:
    assert cores(groups) == 8


@pytest.mark.parametrize(
    ("quota", "found"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("1600000 100000", 8),
        ("150000 50000", 3),
        ("300000", 3),
    ],
)
def test_the_quota_of_its_group(groups: Path, quota: str, found: int) -> None:
    limit(groups / "pod" / "container", cpu_max=quota)
    assert cores(groups) == found


def test_a_quota_holds_for_all_below(groups: Path) -> None:
    limit(groups / "pod", cpu_max="300000 100000")
    limit(groups / "pod" / "container", cpu_max="400000 100000")
    assert cores(groups) == 3


def test_a_container_sees_its_group_as_the_root(groups: Path) -> None:
    (groups / "own").write_text("0::/\n")
    limit(groups, cpu_max="400000 100000")
    assert cores(groups) == 4


def test_a_system_without_groups(tmp_path: Path) -> None:
    assert cores(tmp_path) == 8
    (tmp_path / "own").write_text("12:cpu:/old\n1:name=systemd:/old\n")
    assert cores(tmp_path) == 8


def test_memory_is_the_lowest_limit(groups: Path) -> None:
    installed = capacity.memory(groups, groups / "own")
    assert installed > 2**28
    limit(groups / "pod" / "container", memory_max="max")
    assert capacity.memory(groups, groups / "own") == installed
    limit(groups / "pod", memory_max=str(2**28))
    assert capacity.memory(groups, groups / "own") == 2**28


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A machine with version 1, where each controller has a tree of its own."""
    own = "4:memory:/pod/container\n3:cpu,cpuacct:/pod/container\n1:name=systemd:/pod\n0::/\n"
    (tmp_path / "own").write_text(own)
    for controller in ("cpu", "memory"):
        (tmp_path / controller / "pod" / "container").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("quota", "period", "found"),
    [("-1", "100000", 8), ("250000", "100000", 2), ("150000", "50000", 3)],
)
def test_the_quota_of_an_older_group(older: Path, quota: str, period: str, found: int) -> None:
    for name, value in (("cpu.cfs_quota_us", quota), ("cpu.cfs_period_us", period)):
        (older / "cpu" / "pod" / "container" / name).write_text(value + "\n")
    assert cores(older) == found


def test_an_older_container_sees_its_groups_as_roots(older: Path) -> None:
    (older / "own").write_text("3:cpu,cpuacct:/docker/3f\n4:memory:/docker/3f\n")
    (older / "cpu" / "cpu.cfs_quota_us").write_text("200000\n")
    (older / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (older / "memory" / "memory.limit_in_bytes").write_text(f"{2**28}\n")
    assert cores(older) == 2
    assert capacity.memory(older, older / "own") == 2**28


def test_no_limit_of_an_older_group_is_a_number_beyond_all_memory(older: Path) -> None:
    (older / "memory" / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n")
    assert capacity.memory(older, older / "own") == capacity.memory(older, older / "none")


def test_by_default_one_a_gpu_or_a_core_that_memory_has_room_for() -> None:
    assert capacity.default_workers(gpus=3) == 3
    assert capacity.default_workers(gpus=0) >= 1
    assert capacity.fitting(8, 100 * 2**30) == 8
    assert capacity.fitting(8, 2 * 2**30) == 3
    assert capacity.fitting(8, 2**20) == 1
