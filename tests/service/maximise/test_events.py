"""A log that one writes and others read, whoever dies in between."""

from pathlib import Path

import pytest

from service.maximise import events
from service.maximise.events import Event, Log, read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def names(found: list[Event]) -> list[str]:
    return [event.name for event in found]


def test_read_as_written_from_any_event_on(path: Path) -> None:
    assert read(path, 0) == []
    with Log(path) as log:
        for step in range(5):
            log.append("progress", {"step": step, "text": "a b\nc"})
    found = read(path, 0)
    assert [event.data for event in found][:2] == [
        b'{"step":0,"text":"a b\\nc"}',
        b'{"step":1,"text":"a b\\nc"}',
    ]
    for i, event in enumerate(found):
        assert read(path, event.end) == found[i + 1 :]


@pytest.mark.parametrize("offset", [-1, 1, 17, 10**12])
def test_an_offset_that_nobody_was_given_is_the_beginning(path: Path, offset: int) -> None:
    with Log(path) as log:
        log.append("progress", {"step": 1})
    assert read(path, offset) == read(path, 0)


def test_half_a_line_is_not_read_and_not_built_upon(path: Path) -> None:
    with Log(path) as log:
        log.append("progress", {"step": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + b'progress {"st')
    assert len(read(path, 0)) == 1
    with Log(path) as log:
        log.append("progress", {"step": 2})
    assert path.read_bytes() == whole + b'progress {"step":2}\n'


def test_a_long_log_comes_in_pieces_and_a_long_line_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_PIECE", 64)
    with Log(path) as log:
        for step in range(30):
            log.append("progress", {"step": step, "text": "y" * (step * 10)})
    found: list[Event] = []
    while piece := read(path, found[-1].end if found else 0):
        assert len(piece) < 30
        found += piece
    assert [event.data for event in found][-1].count(b"y") == 290
    assert len(found) == 30


def test_a_log_says_when_it_is_full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_BYTES", 40)
    with Log(path) as log:
        assert not log.full
        log.append("frame", {"image": "x" * 40})
        assert log.full
