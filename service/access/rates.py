"""How often each client may ask, counted together by all processes of a machine.

The generic cell rate algorithm (ITU-T I.371, annex A) keeps one number a client: the time at which
all that it has asked for is paid off, each request being worth 1/rate seconds. One that would be
more than ``burst`` requests ahead of now is refused, and costs nothing. It is a token bucket that
nobody has to refill.

The numbers lie in a file that every process maps, eight to a group under one lock. A client that
finds no free place in its group takes that of whoever is nearest to having paid.
"""

import fcntl
import hashlib
import math
import mmap
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

GROUPS = 8192
PLACES = 8
_PLACE = struct.Struct("<Qd")
"""Who, and the monotonic time until which it has asked; 0, 0 is free."""
_GROUP_BYTES = PLACES * _PLACE.size

_ROUNDING = 1e-3
"""Of a request."""


class Rates:
    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` must be the same in all processes. Raises ``OSError``."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, GROUPS * _GROUP_BYTES)
        self._map = mmap.mmap(self._file, GROUPS * _GROUP_BYTES)
        self._clock = clock

    def take(self, client: str, rate: float, burst: int) -> float:
        """0 where the request may be answered; else the seconds after which one may."""
        name = hashlib.blake2b(client.encode(), digest_size=16).digest()
        start = int.from_bytes(name[:8], "little") % GROUPS * _GROUP_BYTES
        who = int.from_bytes(name[8:], "little") or 1
        fcntl.lockf(self._file, fcntl.LOCK_EX, _GROUP_BYTES, start)
        try:
            return self._take(start, who, 1 / rate, burst)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _GROUP_BYTES, start)

    def _take(self, start: int, who: int, price: float, burst: int) -> float:
        now = self._clock()
        place, until = self._place(start, who)
        # Sums of prices are not exact; no request is refused for a rounding.
        most = (burst + _ROUNDING) * price
        # What lies further ahead than can be asked for was written before the machine started.
        ahead = until - now if 0 < until - now <= most else 0.0
        if ahead + price > most:
            return ahead + price - burst * price
        _PLACE.pack_into(self._map, place, who, now + ahead + price)
        return 0.0

    def _place(self, start: int, who: int) -> tuple[int, float]:
        best, earliest = start, math.inf
        for place in range(start, start + _GROUP_BYTES, _PLACE.size):
            name, until = _PLACE.unpack_from(self._map, place)
            if name == who:
                return place, until
            if until < earliest:
                best, earliest = place, until
        return best, 0.0

    def close(self) -> None:
        self._map.close()
        os.close(self._file)
