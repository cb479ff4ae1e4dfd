"""Content negotiation (RFC 9110, 12): what a client takes, weighed against what there is.

weights(header)              "gzip;q=0.5, *" -> {"gzip": 0.5, "*": 1.0}
negotiate(request, offers)   the media type to answer with, or ``HTTPException`` 406
"""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request

# Nobody lists more; a header of 64 kB must not cost a millisecond.
_MOST = 64


def weights(header: str) -> dict[str, float]:
    """Names in lower case; a weight that is no number counts as 0."""
    found = {}
    for item in header.split(",", _MOST)[:_MOST]:
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name:
            found[name] = _weight(parameters)
    return found


def negotiate(request: Request, offers: Sequence[str]) -> str:
    """The offer that the client likes best; of equals, and where it says nothing, the first."""
    header = ",".join(request.headers.getlist("accept"))
    if not header:
        return offers[0]
    asked = weights(header)
    liked = {offer: _liking(asked, offer) for offer in offers}
    best = max(liked, key=lambda offer: liked[offer])
    if liked[best] > 0:
        return best
    raise HTTPException(406, f"nothing here is {header[:200]!r}; there is {', '.join(offers)}")


def _liking(asked: dict[str, float], offer: str) -> float:
    """The most specific range counts (RFC 9110, 12.5.1)."""
    for name in (offer, offer.partition("/")[0] + "/*", "*/*"):
        if name in asked:
            return asked[name]
    return 0.0


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
