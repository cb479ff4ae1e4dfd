"""Logs as JSON lines on stderr: one object a record, whatever library wrote it."""

import logging
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

FIELDS = "fields"
"""``logger.info("text", extra={FIELDS: {...}})`` puts the dict's items into the line."""


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return orjson.dumps(line, default=str).decode()


def configure_logging(level: str) -> None:
    """Once a process, by its entry point."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Each of these writes a line for every small step; their warnings are what matters.
    for name in ("huey", "python_multipart", "asyncio", "PIL"):
        logging.getLogger(name).setLevel(logging.WARNING)
