"""What tests of every folder share."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).parents[1]

Serve = Callable[..., AbstractContextManager[str]]

# Processes of pytest-xdist share the cores: one thread each. Before PyTorch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Files that start with a wait for other processes or a network, or hold the longest tests.
_FIRST = ("container", "slow", "browser")

# Files that ask one and the same server, which each of pytest-xdist's processes would start anew.
_TOGETHER = {
    f"tests/{folder}/test_{name}.py": folder
    for folder, names in {
        "clients": ("cli", "client", "events"),
        "e2e": ("layers", "modules", "pad", "unit"),
    }.items()
    for name in names
}

# Two processes import torch first, on a machine that may be busy with other things.
_START_SECONDS = 120.0

# Nothing here measures how fast anything is: loaded machines start PyTorch slowly.
_PATIENCE = 240.0


def require(need: str, reason: str) -> NoReturn:
    """A need ("browser", "data", "container") is not met here: skip, and fail where it must be.

    GLYPHSCOPE_REQUIRE lists what must be there; CI lists all of it, so that nothing hides there.
    """
    if need in os.environ.get("GLYPHSCOPE_REQUIRE", "").split(","):
        pytest.fail(f"{need} is required here: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the longest tests first, so that none is left for the end of a parallel run."""

    def rank(item: pytest.Item) -> int:
        return min(
            (_FIRST.index(m.name) for m in item.iter_markers() if m.name in _FIRST), default=9
        )

    first = {item.path: 9 for item in items}
    for item in items:
        first[item.path] = min(first[item.path], rank(item))
    items.sort(key=lambda item: first[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file stays in one process, as do all of ``_TOGETHER``."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByServer(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            path: str = super()._split_scope(nodeid)
            return _TOGETHER.get(path, path)

    return ByServer(config, log)


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], Any]], None]:
    """Until a condition holds; fails where that takes very long."""

    def wait_for(condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.05)

    return wait_for


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """``with serve(store) as url:`` a real glyphscope-serve runs, and a worker where pictures are
    asked for. Further settings by their names."""

    def serve(
        store: Path | None = None, worker: bool = True, **settings: str
    ) -> AbstractContextManager[str]:
        chosen = [] if store is None else ["--store", str(store)]
        chosen += [] if worker else ["--no-worker"]
        state = tmp_path_factory.mktemp("state")
        options = ["--port", "0", "--state", str(state), *chosen]
        command = [sys.executable, "-m", "service.cli", *options]
        return _running(command, settings)

    return serve


@contextmanager
def _running(command: list[str], settings: Mapping[str, str]) -> Iterator[str]:
    environment = {name: v for name, v in os.environ.items() if not name.startswith("GLYPHSCOPE_")}
    environment["GLYPHSCOPE_WORKERS"] = "1"
    environment |= {f"GLYPHSCOPE_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    lines: SimpleQueue[str] = SimpleQueue()
    reader = threading.Thread(target=_drain, args=(process, lines), daemon=True)
    reader.start()
    try:
        yield _address(lines)
    finally:
        process.terminate()
        process.wait(30)
        reader.join()


def _drain(process: "subprocess.Popen[str]", lines: "SimpleQueue[str]") -> None:
    assert process.stderr is not None
    with process.stderr as stream:
        for line in stream:
            lines.put(line)
    lines.put("")


def _address(lines: "SimpleQueue[str]") -> str:
    """It listens from the moment it prints this, so the first request just waits."""
    seen = ""
    try:
        while line := lines.get(timeout=_START_SECONDS):
            seen += line
            if line.startswith("Glyphscope: "):
                return line.split()[1]
    except Empty:
        pass
    pytest.fail(f"the service did not start:\n{seen}", pytrace=False)
