"""Requests to one service: an answer, or an error that says what happened."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from clients.errors import (
    Busy,
    ClientError,
    InvalidAddress,
    NotFound,
    Refused,
    ServiceFailed,
    Unreachable,
)
from clients.retries import USUAL, Retries, may_repeat

Timeout = float | httpx.Timeout


class Connection:
    """Keeps its sockets open between requests; safe between threads."""

    def __init__(
        self,
        url: str,
        timeout: Timeout,
        transport: httpx.BaseTransport | None = None,
        retries: Retries = USUAL,
        sleep: Callable[[float], None] = time.sleep,
        key: str | None = None,
    ) -> None:
        self.url = _checked(url)
        self._retries = retries
        self._sleep = sleep
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(
            base_url=self.url, timeout=timeout, transport=transport, headers=headers
        )

    def json(self, method: str, path: str, **arguments: Any) -> Any:
        return decoded(self.send(method, path, **arguments))

    def send(
        self, method: str, path: str, *, repeatable: bool = True, **arguments: Any
    ) -> httpx.Response:
        """Raises a ``ClientError`` for whatever is no success, also after it was sent again.

        ``repeatable``: it may arrive twice. A POST that computes changes nothing, and one that
        starts a maximisation finds the one that is there.
        """
        began, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            try:
                return self._once(method, path, arguments)
            except httpx.TransportError as error:
                pause = None
                if may_repeat(error, repeatable=repeatable):
                    pause = self._retries.pause(attempt, time.monotonic() - began)
                if pause is None:
                    raise self._unreachable(error) from None
            except Busy as error:
                spent = time.monotonic() - began
                pause = self._retries.pause(attempt, spent, error.retry_after or 0.0)
                if pause is None:
                    raise
            self._sleep(pause)

    def _once(self, method: str, path: str, arguments: dict[str, Any]) -> httpx.Response:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.TransportError:
            raise
        except httpx.HTTPError as error:
            raise ServiceFailed(f"{self.url}{path}: {error}") from None
        if not response.is_success:
            raise _error(response)
        return response

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        if isinstance(error, httpx.TimeoutException):
            return Unreachable(f"{self.url} did not answer in time")
        return Unreachable(f"no service answers at {self.url}: {error}")

    @contextmanager
    def stream(self, path: str, quiet: float, **arguments: Any) -> Iterator[httpx.Response]:
        """A GET whose body is read as it comes; ``quiet`` seconds without a byte are an end. Raises
        ``httpx.TransportError`` while it is read, a ``ClientError`` for whatever is no success."""
        timeout = httpx.Timeout(self._http.timeout.connect, read=quiet)
        with self._http.stream("GET", path, timeout=timeout, **arguments) as response:
            if not response.is_success:
                response.read()
                raise _error(response)
            yield response

    def close(self) -> None:
        self._http.close()


def decoded(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise ServiceFailed(f"{response.url} did not answer with JSON") from None


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidAddress(f"{url!r} is no address: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidAddress(
            f"{url!r} is no address of a service; it must look like http://127.0.0.1:8000"
        )
    return url.rstrip("/")


def _error(response: httpx.Response) -> ClientError:
    document = _problem(response)
    status = response.status_code
    message = str(document.get("detail") or document.get("title") or f"HTTP status {status}")
    if status == 429 or (status == 503 and "Retry-After" in response.headers):
        return Busy(message, _seconds(response.headers.get("Retry-After", "")))
    if status >= 500 or status < 400:
        return ServiceFailed(f"the service answered {status}: {message}")
    return (NotFound if status == 404 else Refused)(message, status, document)


def _problem(response: httpx.Response) -> dict[str, Any]:
    """Empty where it is none: a proxy in between answers in its own words."""
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # a date, which the service never sends
