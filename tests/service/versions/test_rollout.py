"""Who goes where is decided by the request's id alone, and the file changes as a whole."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import ValidationError

from glyphscope.errors import BrokenCheckpoint, Conflict
from glyphscope.store import Store
from service.versions.rollout import Rollout, Share, change_rollout, read_rollout

IDS = [f"request-{i}" for i in range(20_000)]


@pytest.mark.parametrize("percent", [0.5, 5, 50, 99.5, 100])
def test_a_share_is_as_large_as_it_says(percent: float) -> None:
    share = Share(to="candidate", percent=percent)
    taken = sum(share.takes("mnist", each) for each in IDS)
    expected = len(IDS) * percent / 100
    # Four standard deviations of a binomial draw; the ids are fixed, so this holds or it does not.
    spread = 4 * (expected * (1 - percent / 100)) ** 0.5
    assert abs(taken - expected) <= spread


def test_the_same_id_meets_the_same_version_and_names_draw_apart() -> None:
    share = Share(to="candidate", percent=50)
    mnist = [share.takes("mnist", each) for each in IDS]
    assert mnist == [share.takes("mnist", each) for each in IDS]
    same = sum(a == share.takes("emnist", b) for a, b in zip(mnist, IDS, strict=True))
    assert abs(same - len(IDS) / 2) < 300
    # By `printf 'mnist\0request-0' | b2sum -l 64`, below half: every process, machine and release
    # must decide alike.
    assert [share.takes("mnist", each) for each in IDS[:8]] == [
        False, True, False, False, True, False, False, True,
    ]  # fmt: skip


def test_who_is_in_a_share_stays_in_a_larger_one() -> None:
    small, large = Share(to="2", percent=5), Share(to="2", percent=25)
    assert all(large.takes("mnist", each) for each in IDS if small.takes("mnist", each))


@pytest.mark.parametrize("percent", [0, -1, 100.1, float("nan"), "many"])
def test_shares_that_are_none(percent: Any) -> None:
    with pytest.raises(ValidationError):
        Share(to="2", percent=percent)


@pytest.mark.parametrize("to", ["", "0", "007", "Candidate", "a b", "../x", "1.5"])
def test_targets_that_are_none(to: str) -> None:
    with pytest.raises(ValidationError):
        Share(to=to, percent=5)


def test_versions_are_sets() -> None:
    rollout = Rollout().with_pinned(3).with_loaded(1).with_unloaded(3)
    assert (rollout.pinned, rollout.loaded, rollout.unloaded) == ((3,), (1,), (3,))
    again = rollout.with_loaded(3).with_loaded(3).without_pinned(3)
    assert (again.pinned, again.loaded, again.unloaded) == ((), (1, 3), ())


def test_changes_of_many_writers_all_count(publish: Callable[..., Any], store: Store) -> None:
    publish()
    assert read_rollout(store, "mnist") == Rollout()
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(
                lambda version: change_rollout(
                    store, "mnist", lambda rollout: rollout.with_loaded(version)
                ),
                range(1, 41),
            )
        )
    assert read_rollout(store, "mnist").loaded == tuple(range(1, 41))
    left = {path.name for path in (store.root / "mnist").iterdir()}
    assert left == {"1", "aliases.json", "rollout.json", ".last", ".lock", ".rollout.lock"}


@pytest.mark.parametrize("text", ["{", "[]", '{"canary": 3}', '{"colour": "red"}'])
def test_a_file_that_is_not_understood(
    publish: Callable[..., Any], store: Store, text: str
) -> None:
    publish()
    (store.root / "mnist" / "rollout.json").write_text(text)
    with pytest.raises(BrokenCheckpoint, match=r"mnist: rollout\.json cannot be read"):
        read_rollout(store, "mnist")


def test_a_store_that_cannot_be_written(publish: Callable[..., Any], store: Store) -> None:
    publish()
    (store.root / "mnist" / ".rollout.lock").mkdir()  # also root cannot open that for writing
    with pytest.raises(Conflict, match="cannot be written"):
        change_rollout(store, "mnist", lambda rollout: rollout.with_pinned(1))
