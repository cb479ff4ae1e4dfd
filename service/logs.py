"""Logs as JSON lines on stderr: one object a record, whatever library wrote it."""

import logging
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

FIELDS = "fields"
"""``logger.info("text", extra={FIELDS: {...}})`` puts the dict's items into the line."""


class JsonLines(logging.Formatter):
    def __init__(self, trace_id: Callable[[], str | None] | None = None) -> None:
        """``trace_id``: of whatever is being done while a line is written."""
        super().__init__()
        self._trace_id = trace_id

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if self._trace_id is not None and "trace_id" not in line and (now := self._trace_id()):
            line["trace_id"] = now
        if record.exc_info and record.exc_info[0]:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return orjson.dumps(line, default=str).decode()


QUEUE_TROUBLE = ("Error reading from queue", "Error reading schedule.", "the queue does not answer")


class QueueTrouble(logging.Filter):
    """A queue that is away fails many times a second: that is one short line a minute."""

    def __init__(self, every: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every, self._clock = every, clock
        self._written: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if message not in QUEUE_TROUBLE:
            return True
        now, last = self._clock(), self._written.get(message)
        if last is not None and now - last < self._every:
            return False
        self._written[message] = now
        if record.exc_info and record.exc_info[1]:
            record.msg, record.args = f"{message}: {record.exc_info[1]}", ()
            record.exc_info = None
        return True


def configure_logging(level: str, trace_id: Callable[[], str | None] | None = None) -> None:
    """By a process's entry point; again, with ``trace_id``, where it traces."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(trace_id))
    handler.addFilter(QueueTrouble())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Each of these writes a line for every small step; their warnings are what matters.
    for name in ("huey", "python_multipart", "asyncio", "PIL"):
        logging.getLogger(name).setLevel(logging.WARNING)
