"""API keys: a TOML file, one table a client, with digests in place of the keys.

    [alice]
    sha256 = "9f86d081..."      or a list, while a new key takes over from an old one
    rate = 50                   requests a second; without it, what the server allows everybody
    burst = 100                 requests at once, before the rate counts

A key is 256 random bits: nobody finds it from its SHA-256, so there is no salt and no slow hash.
"""

import hashlib
import hmac
import logging
import re
import secrets
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from glyphscope.errors import InvalidInput

LOOK_SECONDS = 1.0
"""A file that was changed is read again after so long at most."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

PREFIX = "gs_"
"""So that scanners for leaked secrets can know one."""

_BYTES = 32

logger = logging.getLogger("glyphscope.service")


def new_key() -> str:
    return PREFIX + secrets.token_urlsafe(_BYTES)


def digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


@dataclass(frozen=True)
class Caller:
    """A client that is known by its key."""

    name: str
    digests: tuple[bytes, ...]
    rate: float | None = None
    burst: int | None = None


def _hexadecimal(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("64 hexadecimal digits in lower case are a SHA-256")
    return text


Digest = Annotated[str, AfterValidator(_hexadecimal)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sha256: Annotated[
        list[Digest],
        BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
        Field(min_length=1),
    ]
    rate: Annotated[float, Field(gt=0)] | None = None
    burst: Annotated[int, Field(ge=1)] | None = None


def read_keys(path: Path) -> tuple[Caller, ...]:
    """Raises ``InvalidInput`` that names the file, the client and what is wrong."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise InvalidInput(f"{path} is no TOML: {error}") from None
    return tuple(_caller(path, name, table) for name, table in tables.items())


def _caller(path: Path, name: str, table: object) -> Caller:
    if not NAME.fullmatch(name):
        raise InvalidInput(f"{path}: {name!r} is no name of a client; letters, digits, . _ -")
    try:
        found = _Table.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([name, *(str(part) for part in first["loc"][:1])])
        raise InvalidInput(f"{path}: {where}: {first['msg']}") from None
    digests = tuple(bytes.fromhex(each) for each in found.sha256)
    return Caller(name, digests, found.rate, found.burst)


class Ring:
    """The keys of a file, which may change while the server runs."""

    def __init__(self, path: Path) -> None:
        """Raises ``InvalidInput`` as ``read_keys`` does."""
        self._path = path
        self._stamp = _stamp(path)
        self._callers = read_keys(path)
        self._looked = time.monotonic()

    def find(self, key: bytes) -> Caller | None:
        """In a time that tells neither whether nor where it is."""
        self._look()
        sent, found = digest(key), None
        for caller in self._callers:
            for known in caller.digests:
                if hmac.compare_digest(known, sent):
                    found = caller
        return found

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._callers = read_keys(self._path)
        except InvalidInput as error:
            # A slip of an editor locks nobody out and lets nobody in.
            logger.error("the keys stay as they were: %s", error)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
