"""Jobs and answers on a pipe: a JSON head and raw bytes. No pickle, as with every queue here.

send_job(pipe, job)          receive_job(pipe)       raises ``EOFError`` when nobody is left
send_answer(pipe, answer)    receive_answer(pipe)    raises the error that the job ended with
send_error(pipe, error)
"""

from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import orjson

from glyphscope.errors import GlyphscopeError, NotFound
from service.analysis.job import Answer, Job


def send_ready(pipe: Connection) -> None:
    pipe.send_bytes(b"ready")


def send_job(pipe: Connection, job: Job) -> None:
    pixels = job.pixels
    head = {
        "task": job.task,
        "models": job.models,
        "options": dict(job.options),
        "shape": None if pixels is None else pixels.shape,
    }
    _send(pipe, head, b"" if pixels is None else np.ascontiguousarray(pixels).tobytes())


def receive_job(pipe: Connection) -> Job:
    head, body = _receive(pipe)
    pixels = None
    if head["shape"] is not None:
        pixels = np.frombuffer(body, np.uint8).reshape(head["shape"]).copy()
    return Job(head["task"], tuple(head["models"]), head["options"], pixels)


def send_answer(pipe: Connection, answer: Answer) -> None:
    _send(pipe, {"media_type": answer.media_type}, answer.body)


def send_error(pipe: Connection, error: Exception) -> None:
    """One that was not raised on purpose is only said to have happened."""
    head: dict[str, Any] = {"error": "", "message": type(error).__name__}
    if isinstance(error, GlyphscopeError):
        head = {"error": error.code, "message": str(error)}
    if isinstance(error, NotFound):
        head["named"] = error.kind, error.name, error.known
    _send(pipe, head, b"")


def receive_answer(pipe: Connection) -> Answer:
    head, body = _receive(pipe)
    if "error" in head:
        raise _error(head)
    return Answer(body, head["media_type"])


def _send(pipe: Connection, head: dict[str, Any], body: bytes) -> None:
    pipe.send_bytes(orjson.dumps(head))
    pipe.send_bytes(body)


def _receive(pipe: Connection) -> tuple[dict[str, Any], bytes]:
    head: dict[str, Any] = orjson.loads(pipe.recv_bytes())
    return head, pipe.recv_bytes()


def _error(head: dict[str, Any]) -> Exception:
    if "named" in head:
        return NotFound(*head["named"])
    kind = {one.code: one for one in _kinds(GlyphscopeError)}.get(head["error"])
    if kind is None:
        return RuntimeError(f"an analysis failed: {head['message']}; its process has logged why")
    return kind(head["message"])


def _kinds(kind: type[GlyphscopeError]) -> Iterator[type[GlyphscopeError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)
