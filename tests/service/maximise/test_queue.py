"""Ids go in and come out, once each, as JSON."""

import sqlite3
from pathlib import Path

import pytest

from glyphscope.errors import Busy
from service.maximise.queue import Queue
from service.settings import Settings

IDS = ["a" * 40, "b" * 40, "c" * 40]


def take(queue: Queue) -> list[str]:
    taken: list[str] = []
    queue.take_with(taken.append)
    while task := queue.huey.dequeue():
        queue.huey.execute(task)
    return taken


def test_in_order_and_across_processes(settings: Settings) -> None:
    server, worker = Queue(settings), Queue(settings)
    for job_id in IDS:
        server.enqueue(job_id)
    assert worker.waiting() == IDS
    assert take(worker) == IDS
    assert server.waiting() == []


def test_nothing_on_the_queue_is_a_pickle(settings: Settings) -> None:
    queue = Queue(settings)
    queue.enqueue(IDS[0])
    with sqlite3.connect(settings.state / "queue.db") as connection:
        [(data,)] = connection.execute("select data from task").fetchall()
    connection.close()
    assert bytes(data).startswith(b"[")
    assert IDS[0].encode() in bytes(data)


def test_a_queue_that_does_not_answer(settings: Settings, tmp_path: Path) -> None:
    queue = Queue(settings)
    queue.huey.storage.close()
    (tmp_path / "state" / "queue.db").unlink()
    (tmp_path / "state" / "queue.db").mkdir()
    with pytest.raises(Busy, match="does not answer"):
        queue.enqueue(IDS[0])
