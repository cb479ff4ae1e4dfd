"""What is going to be taken away: routes, query parameters and members of JSON bodies.

    "GET /v1/old"             a route, by the path that OpenAPI shows
    "GET /v1/models?old"      one of its query parameters
    "POST /v1/models#/old"    a member of its body, which the route tells of by ``announce``

docs/http.md is the policy: what stands here works until its sunset, and every answer to a request
that uses it says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from starlette.requests import Request


@dataclass(frozen=True)
class Deprecation:
    """``link`` leads to what to use instead. Times carry their zone."""

    since: datetime
    sunset: datetime
    link: str

    def headers(self) -> dict[str, str]:
        """RFC 9745 (seconds since 1970, as a structured field), RFC 8594, RFC 8288."""
        return {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": format_datetime(self.sunset, usegmt=True),
            "Link": f'<{self.link}>; rel="deprecation"; type="text/html"',
        }


Table = Mapping[str, Deprecation]

DEPRECATED: dict[str, Deprecation] = {}
"""Nothing yet."""

_ANNOUNCED = "deprecated_members"


def announce(request: Request, member: str) -> None:
    """A route has read this member ("#/old") of the request's body."""
    request.scope.setdefault("state", {}).setdefault(_ANNOUNCED, []).append(member)


def announced(state: Mapping[str, list[str]]) -> list[str]:
    return state.get(_ANNOUNCED, [])


def first_to_go(table: Table, names: Iterable[str]) -> Deprecation | None:
    """Of what a request uses: an answer has one sunset."""
    found = [table[name] for name in names if name in table]
    return min(found, key=lambda each: each.sunset, default=None)
