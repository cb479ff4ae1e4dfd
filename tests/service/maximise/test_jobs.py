"""Files that several processes share: whole or absent, and locked by whoever is alive."""

import subprocess
import sys
from pathlib import Path

import pytest

from glyphscope.visualise import MaximisationRequest
from service.maximise.jobs import Jobs, Order, Status

ID = "a" * 40

ORDER = Order(
    id=ID,
    model="mnist",
    version=1,
    digest="0" * 64,
    request=MaximisationRequest(layer="conv1", units=(0,), steps=8),
)


def test_created_read_and_finished(jobs: Jobs) -> None:
    assert (jobs.order(ID), jobs.status(ID), jobs.open_ids()) == (None, None, [])
    with jobs.lock(ID) as free:
        assert free
        jobs.create(ORDER)
    assert jobs.order(ID) == ORDER
    queued = jobs.status(ID)
    assert queued is not None
    assert queued == Status(status="queued", run=queued.run, steps=8)
    assert jobs.open_ids() == [ID]
    jobs.write(ID, Status(status="done"))
    assert jobs.open_ids() == []


def test_a_lock_is_taken_once(jobs: Jobs) -> None:
    with jobs.lock(ID) as first, jobs.lock(ID) as second:
        assert (first, second) == (True, False)
    with jobs.lock(ID) as again:
        assert again


def test_a_lock_falls_with_its_holder(jobs: Jobs, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from service.maximise.jobs import Jobs\n"
        f"with Jobs(Path(sys.argv[1])).lock({ID!r}) as free:\n"
        "    print(free, flush=True); sys.stdin.read()"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "state")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        with jobs.lock(ID) as free:
            assert not free
        holder.kill()
        holder.wait()
        with jobs.lock(ID) as free:
            assert free


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"status": "lost"}'])
def test_an_unreadable_status_is_none(jobs: Jobs, tmp_path: Path, content: bytes) -> None:
    with jobs.lock(ID):
        jobs.create(ORDER)
    (tmp_path / "state" / "maximisations" / ID / "status.json").write_bytes(content)
    assert jobs.status(ID) is None


@pytest.mark.parametrize("name", ["", "..", "open", "A" * 40, "a" * 39, "../" + "a" * 40])
def test_only_ids_are_paths(jobs: Jobs, name: str) -> None:
    with pytest.raises(ValueError, match="not the id"):
        jobs.status(name)


def test_each_run_has_a_log_of_its_own(jobs: Jobs) -> None:
    with jobs.lock(ID):
        first = jobs.create(ORDER)
        jobs.log(ID, first.run).write_bytes(b"progress {}\n")
        second = jobs.create(ORDER)
    assert first.run != second.run
    assert not jobs.log(ID, first.run).exists()


def test_evicted_unless_it_is_open_or_held(jobs: Jobs) -> None:
    with jobs.lock(ID):
        jobs.create(ORDER)
    assert not jobs.evict(ID)
    jobs.write(ID, Status(status="done"))
    with jobs.lock(ID):
        assert not jobs.evict(ID)
    assert jobs.finished_ids() == [ID]
    assert jobs.evict(ID)
    assert (jobs.order(ID), jobs.finished_ids()) == (None, [])
    assert [path.name for path in jobs.root.iterdir()] == ["open"]


def test_a_lock_on_a_folder_that_was_evicted_is_none(jobs: Jobs) -> None:
    """Its holder would change files that nobody reads any more."""
    with jobs.lock(ID) as first:
        assert first
        (jobs.root / ID).rename(jobs.root / "elsewhere")
        with jobs.lock(ID) as second:
            assert second
