"""Every error that the client raises on purpose.

    ClientError
    ├── InvalidAddress       no URL of a service
    ├── InvalidFile          a file on this machine that cannot be sent or written
    ├── Unreachable          nobody answers there, or not in time
    ├── Refused              the service refused the request: status, code, title, fields
    │   └── NotFound         a name that nobody knows; ``known`` are those that would have worked
    ├── Busy                 too much waits already; ``retry_after`` in seconds, where it is given
    ├── ServiceFailed        the service failed, or its answer is not understood
    └── Unfinished           a maximisation that failed or was cancelled

``str(error)`` is a sentence for people: where the service gave one, its own wording.
"""

from typing import Any


class ClientError(Exception):
    """The root."""


class InvalidAddress(ClientError):
    pass


class InvalidFile(ClientError):
    pass


class Unreachable(ClientError):
    pass


class Refused(ClientError):
    """A 4xx answer, as its problem document (RFC 9457) tells it."""

    def __init__(self, message: str, status: int, document: dict[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.code = str(document.get("type", "about:blank")).removeprefix("/problems/")
        self.title = str(document.get("title", ""))
        self.fields: list[dict[str, str]] = document.get("errors", [])


class NotFound(Refused):
    def __init__(self, message: str, status: int, document: dict[str, Any]) -> None:
        super().__init__(message, status, document)
        self.known: list[str] = document.get("known", [])


class Busy(ClientError):
    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServiceFailed(ClientError):
    pass


class Unfinished(ClientError):
    """``status`` is "failed" or "cancelled"."""

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status
