"""The task queue between the server and its workers: Huey, on SQLite or on Redis.

A task is a job's id and nothing else. Delivery may come twice or late: a job is run under its lock,
and one that is finished is left alone.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import orjson
from huey import Huey, RedisHuey, SqliteHuey  # type: ignore[import-untyped]
from huey.consumer import Consumer  # type: ignore[import-untyped]
from huey.exceptions import ConfigurationError  # type: ignore[import-untyped]
from huey.registry import Message  # type: ignore[import-untyped]
from huey.serializer import Serializer  # type: ignore[import-untyped]

from glyphscope.errors import Busy, InvalidInput
from service.settings import Settings

NAME = "glyphscope"

logger = logging.getLogger("glyphscope.service")


class JsonSerializer(Serializer):  # type: ignore[misc]
    """Huey's own pickles: whoever can write to the queue could then run code in the worker."""

    def _serialize(self, data: Message) -> bytes:
        return orjson.dumps(list(data))

    def _deserialize(self, data: bytes) -> Message:
        return Message(*orjson.loads(bytes(data)))


class Queue:
    """A server only enqueues; a worker also takes."""

    def __init__(self, settings: Settings) -> None:
        self.huey = make_huey(settings.queue, settings.state)
        self._run: Callable[[str], None] | None = None

        def maximise(job_id: str) -> None:
            assert self._run is not None
            self._run(job_id)

        self._task = self.huey.task(name="maximise")(maximise)

    def take_with(self, run: Callable[[str], None]) -> None:
        """What this process does with an id that it takes from the queue."""
        self._run = run

    def consumer(self, patience: float) -> Consumer:
        """Takes one id after another; a stop waits ``patience`` seconds for the one at hand."""
        return self.huey.create_consumer(
            workers=1,
            periodic=False,
            # On SQLite it asks, 12 us each time; on Redis it is told.
            initial_delay=0.02,
            max_delay=0.02,
            scheduler_interval=60,
            shutdown_timeout=patience,
        )

    def enqueue(self, job_id: str) -> None:
        try:
            self._task(job_id)
        except Exception as error:
            logger.exception("the queue does not answer")
            raise Busy("the queue does not answer; try again in a moment") from error

    def waiting(self) -> list[str]:
        """Ids that some worker will come to, the next one first. Raises ``Busy``."""
        try:
            return list(dict.fromkeys(task.args[0] for task in self.huey.pending()))
        except Exception as error:
            raise Busy("the queue does not answer; try again in a moment") from error


def make_huey(url: str, state: Path) -> Huey:
    serializer = JsonSerializer()
    if url:
        return _on_redis(url, serializer)
    state.mkdir(parents=True, exist_ok=True)
    file = str(state / "queue.db")
    return SqliteHuey(NAME, filename=file, results=False, serializer=serializer)


def _on_redis(url: str, serializer: Serializer) -> Huey:
    try:
        return RedisHuey(NAME, url=url, results=False, serializer=serializer)
    except ConfigurationError:
        raise InvalidInput("a queue on Redis needs the package redis: pip install redis") from None
