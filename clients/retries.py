"""When a request that failed is sent again, and after how long.

    nobody takes the connection              any request: none of it has arrived
    the connection breaks before an answer   requests that may be repeated
    503 or 429 with Retry-After              any request, after the time that the service names

A pause doubles each time and is drawn from its upper half, so that many clients that were refused
together do not come back together (Brooker, "Exponential Backoff And Jitter", AWS 2015). What was
not answered in time is not sent again: the service may still be at work on it.
"""

import random
from dataclasses import dataclass

import httpx

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BROKEN = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


@dataclass(frozen=True)
class Retries:
    """``attempts``: how often it is sent at most, the first time included. ``seconds``: no pause
    ends later than this after the first attempt began."""

    attempts: int = 5
    seconds: float = 15.0
    first_pause: float = 0.1
    longest_pause: float = 2.0

    def pause(self, attempt: int, spent: float, least: float = 0.0) -> float | None:
        """Seconds until the next attempt, at least ``least``; None where there is none.

        ``attempt`` counts those made, ``spent`` the seconds since the first began.
        """
        if attempt >= self.attempts:
            return None
        widest = min(self.first_pause * 2 ** (attempt - 1), self.longest_pause)
        seconds = least + widest * random.uniform(0.5, 1.0)
        return seconds if spent + seconds <= self.seconds else None


USUAL = Retries()

NONE = Retries(attempts=1)
"""Every failure is told at once."""


def may_repeat(error: httpx.TransportError, *, repeatable: bool) -> bool:
    """``repeatable``: done twice, it does no more than done once."""
    return isinstance(error, _UNSENT) or (repeatable and isinstance(error, _BROKEN))
