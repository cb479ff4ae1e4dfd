"""Who a request is from, and whether it may be answered now.

With keys, a client is known by the one it sends: ``Authorization: Bearer KEY``, or the cookie that
``PUT /v1/session`` leaves in a browser. Without keys it is known by its address, an IPv6 one by the
64 bits that a household or a machine has to itself. The admin key opens all, and is not counted.
"""

import hmac
import ipaddress
import math
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from glyphscope.errors import KeyNeeded, TooOften
from service.access.keys import Caller, Ring
from service.access.rates import Rates
from service.settings import Settings

COOKIE = "glyphscope_key"

ADMINISTRATOR = "administrator"

_BEARER = b"bearer "
_IPV6_BITS = 64

Headers = Iterable[tuple[bytes, bytes]]


class Gate:
    def __init__(
        self, ring: Ring | None, rates: Rates, rate: float, burst: int, admin_key: str
    ) -> None:
        """``rate`` is in requests a second, 0 for no limit; ``burst`` 0 is what comes in one."""
        self._ring = ring
        self._rates = rates
        self._rate = rate
        self._burst = burst
        self._admin_key = admin_key.encode()
        self.unknown = 0
        self.too_often = 0

    def admit(self, headers: Headers, address: str | None) -> str:
        """The client's name. Raises ``KeyNeeded`` or ``TooOften``."""
        key = _sent(headers)
        if key and self._admin_key and hmac.compare_digest(key, self._admin_key):
            return ADMINISTRATOR
        if self._ring is None:
            name = _network(address)
            self._count(name, self._rate, self._burst)
            return name
        caller = self.caller(key)
        self._count(caller.name, caller.rate or self._rate, caller.burst or self._burst)
        return caller.name

    def caller(self, key: bytes) -> Caller:
        """Raises ``KeyNeeded``."""
        found = self._ring.find(key) if self._ring is not None and key else None
        if found is None:
            self.unknown += 1
            raise KeyNeeded(
                "this key is not known here"
                if key
                else "this service answers those who have a key; send it as Authorization: Bearer"
            )
        return found

    def _count(self, client: str, rate: float, burst: int) -> None:
        if not rate:
            return
        burst = burst or max(1, math.ceil(rate))
        wait = self._rates.take(client, rate, burst)
        if wait:
            self.too_often += 1
            raise TooOften(
                f"{client} may ask {rate:g} times a second, {burst} at once; "
                f"again in {math.ceil(wait)} s",
                wait,
            )

    def report(self) -> dict[str, int]:
        return {"unknown_keys": self.unknown, "limited_requests": self.too_often}


def make_gate(settings: Settings) -> Gate | None:
    """None where everybody may ask as often as they like. Raises ``InvalidInput``, ``OSError``."""
    if settings.api_keys is None and not settings.client_rate:
        return None
    return Gate(
        Ring(settings.api_keys) if settings.api_keys is not None else None,
        Rates(settings.state / "rates"),
        settings.client_rate,
        settings.client_burst,
        settings.admin_key,
    )


def _sent(headers: Headers) -> bytes:
    """The first that there is; an explicit header goes before what a browser sends by itself."""
    cookie = b""
    for name, value in headers:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            return value[len(_BEARER) :].strip()
        if name == b"x-admin-key":
            return value
        if name == b"cookie":
            cookie = cookie or _from_cookie(value)
    return cookie


def _from_cookie(value: bytes) -> bytes:
    try:
        found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
    except CookieError:
        return b""
    return found.value.encode("latin-1") if found is not None else b""


def _network(address: str | None) -> str:
    if address is None:
        return "local"
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_BITS), strict=False))
    return str(parsed)
