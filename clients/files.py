"""A file of a command line -> what a client is asked.

    inputs("3.png")  ->  Inputs

A file is told by its first bytes: numpy's .npy, JSON of one drawing's strokes, else an image, which
the service is left to judge. "-" is the standard input.
"""

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from clients.errors import InvalidFile
from clients.inputs import Inputs

STDIN = "-"

_NPY = b"\x93NUMPY"


def inputs(path: str) -> Inputs:
    """Raises ``InvalidFile``."""
    data = _contents(path)
    if data.startswith(_NPY):
        return {"array": _array(path, data)}
    if data.lstrip()[:1] in (b"[", b"{"):
        return {"strokes": [_strokes(path, data)]}
    return {"images": [data]}


def _contents(path: str) -> bytes:
    try:
        data = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise InvalidFile(f"{path}: {error.strerror}") from None
    if not data:
        raise InvalidFile(f"{path}: nothing is in it")
    return data


def _array(name: str, data: bytes) -> Any:
    try:
        found = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InvalidFile(f"{name}: no npy file that can be read: {error}") from None
    return found[None] if found.ndim == 2 else found


def _strokes(name: str, data: bytes) -> Any:
    """A list of strokes, or an object whose "strokes" are that."""
    try:
        found = json.loads(data)
    except ValueError as error:
        raise InvalidFile(f"{name}: no JSON: {error}") from None
    drawing = found.get("strokes") if isinstance(found, dict) else found
    if not isinstance(drawing, list):
        raise InvalidFile(f'{name}: must be a list of strokes, or {{"strokes": [...]}}')
    return drawing
