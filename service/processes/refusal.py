"""Answers before there is a request to answer, so without its id. Also given by the parent of the
processes that serve, hence without their imports."""

import orjson

TITLES = {408: "Request Timeout", 503: "Too much is waiting", 504: "The deadline has passed"}


def refusal(status: int, detail: str) -> bytes:
    """The bytes of a whole answer, after which the connection closes."""
    title = TITLES[status]
    body = orjson.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\n{retry}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def stopped_refusal() -> bytes:
    return refusal(503, "the process that served here is being replaced; try again in a moment")
