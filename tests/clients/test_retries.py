"""What is sent again, how often and when: by transports that fail so many times, and by real
processes that are killed."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import numpy as np
import pytest

from clients import Client, Retries
from clients.errors import Busy, ClientError, Unreachable
from clients.retries import NONE, USUAL
from glyphscope.store import Store
from tests.clients.conftest import Digits
from tests.conftest import Serve

Failure = Exception | httpx.Response

BUSY = httpx.Response(503, headers={"Retry-After": "1"}, json={"detail": "later"})
MANY = httpx.Response(429, headers={"Retry-After": "1"}, json={"detail": "too often"})
REFUSED, RESET = httpx.ConnectError("refused"), httpx.ReadError("reset")


class Flaky:
    """Fails in these ways, one after the other, then answers."""

    def __init__(self, *failures: Failure, retries: Retries = USUAL) -> None:
        self.sent: list[httpx.Request] = []
        self.pauses: list[float] = []
        self._failures = list(failures)
        transport = httpx.MockTransport(self._answer)
        self.client = Client(
            "http://s", transport=transport, sleep=self.pauses.append, retries=retries
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        if self._failures:
            failure = self._failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        return httpx.Response(200, json={"models": [], "predictions": []})


@pytest.mark.parametrize(
    "failure",
    [
        REFUSED, RESET, BUSY, MANY, httpx.ConnectTimeout("late"), httpx.WriteError("broken pipe"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
    ],
)  # fmt: skip
def test_what_passes_is_sent_again(failure: Failure) -> None:
    flaky = Flaky(failure, failure)
    assert flaky.client.classify("mnist", pixels=[[[0]]]) == []
    first, *rest = [request.content for request in flaky.sent]
    assert rest == [first, first]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ReadTimeout("late"), Unreachable),
        (httpx.UnsupportedProtocol("gopher"), Unreachable),
        (httpx.Response(503, json={"detail": "the hash differs"}), ClientError),
        (httpx.Response(500), ClientError),
        (httpx.Response(504), ClientError),
        (httpx.Response(422), ClientError),
    ],
)
def test_what_would_fail_again_is_not(failure: Failure, kind: type[ClientError]) -> None:
    flaky = Flaky(failure)
    with pytest.raises(kind):
        flaky.client.models()
    assert (len(flaky.sent), flaky.pauses) == (1, [])


def test_an_order_that_may_have_arrived_is_not_given_twice() -> None:
    flaky = Flaky(REFUSED, BUSY, RESET)
    with pytest.raises(Unreachable):
        flaky.client.load("mnist", 2, admin_key="k")
    assert len(flaky.sent) == 3


def test_pauses_double_and_are_spread() -> None:
    flaky = Flaky(*[REFUSED] * 9, retries=Retries(8, 60, first_pause=0.1, longest_pause=2))
    with pytest.raises(Unreachable, match="refused"):
        flaky.client.models()
    assert len(flaky.sent) == 8
    for pause, most in zip(flaky.pauses, [0.1, 0.2, 0.4, 0.8, 1.6, 2, 2], strict=True):
        assert most / 2 <= pause <= most
    assert len(set(flaky.pauses)) == 7


def test_the_service_says_when() -> None:
    flaky = Flaky(BUSY, MANY)
    flaky.client.models()
    assert all(1 < pause < 1.5 for pause in flaky.pauses)


def test_nobody_waits_beyond_the_deadline() -> None:
    later = httpx.Response(503, headers={"Retry-After": "16"}, json={"detail": "later"})
    flaky = Flaky(later)
    with pytest.raises(Busy) as caught:
        flaky.client.models()
    assert caught.value.retry_after == 16
    assert flaky.pauses == []


def test_none_at_all() -> None:
    flaky = Flaky(REFUSED, retries=NONE)
    with pytest.raises(Unreachable):
        flaky.client.models()
    assert flaky.pauses == []


@dataclass
class Asker:
    """Classifies without a pause, in a thread of its own."""

    client: Client
    images: Digits
    answered: int = 0
    errors: list[Exception] = field(default_factory=list)

    def ask(self, end: threading.Event) -> None:
        while not end.is_set():
            try:
                assert len(self.client.classify("mnist", array=self.images)) == len(self.images)
            except ClientError as error:
                self.errors.append(error)
            self.answered += 1


@pytest.mark.slow
def test_killed_processes_are_not_noticed(
    serve: Serve, store: Store, digits: Digits, wait_for: Callable[[Callable[[], object]], None]
) -> None:
    """Several clients ask without a pause while both processes of a server are killed."""
    end = threading.Event()

    def all_were_answered(more: int) -> None:
        wanted = [asker.answered + more for asker in askers]
        wait_for(lambda: all(a.answered >= n for a, n in zip(askers, wanted, strict=True)))

    def kill(victim: int) -> None:
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(pids(watching) - {victim}) == 2)

    with ExitStack() as stack:
        url = stack.enter_context(serve(store.root, worker=False, workers="2"))
        watching, *clients = [stack.enter_context(Client(url, timeout=240)) for _ in range(5)]
        wait_for(lambda: len(pids(watching)) == 2)
        askers = [Asker(client, np.concatenate([digits] * 8)) for client in clients]
        threads = [threading.Thread(target=asker.ask, args=(end,)) for asker in askers]
        for thread in threads:
            thread.start()
        try:
            for victim in pids(watching):
                all_were_answered(2)
                kill(victim)
            all_were_answered(2)
        finally:
            end.set()
            for thread in threads:
                thread.join()
    assert [asker.errors for asker in askers] == [[]] * 4


def pids(client: Client) -> set[int]:
    return {process["pid"] for process in client.status()["processes"]}
