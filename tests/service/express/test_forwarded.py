"""Who asks, behind proxies: by both ways the same client, whom the same proxies are believed of."""

import logging
from collections.abc import Callable

import pytest

from service.express.protocol import Protocol
from tests.service.express.conftest import Server
from tests.service.express.test_same_bytes import PNG, request

TRUSTED = {
    "behind": ("127.0.0.1", "10.0.0.0/8"),
    "exposed": ("192.0.2.1",),
    "believing": ("*",),
}

Ways = tuple[Server, Server]
Ask = Callable[[str, str], tuple[int, str]]


@pytest.fixture(scope="module")
def servers(
    start: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Ways]:
    """The short way and the long one, which count by themselves."""

    def one(way: object, trusted: tuple[str, ...]) -> Server:
        state = tmp_path_factory.mktemp("state")
        limit = {"client_rate": 0.001, "client_burst": 2}
        return start(way, state=state, trusted_proxies=trusted, **limit)

    return {name: (one(Protocol, who), one("httptools", who)) for name, who in TRUSTED.items()}


@pytest.fixture
def ask(
    servers: dict[str, Ways], caplog: pytest.LogCaptureFixture, wait_for: Callable[..., None]
) -> Ask:
    """``ask(which, forwarded)`` is what the answer's status is, and who the log says has asked."""

    def one(server: Server, forwarded: str) -> tuple[bytes, str]:
        caplog.clear()
        with caplog.at_level(logging.INFO, "glyphscope.access"):
            answer = server.talk([request(PNG, X_Forwarded_For=forwarded)])
            wait_for(lambda: [each for each in caplog.records if each.name == "glyphscope.access"])
        [record] = [each for each in caplog.records if each.name == "glyphscope.access"]
        return answer, record.__dict__["fields"]["client"]

    def ask(which: str, forwarded: str) -> tuple[int, str]:
        short, long = servers[which]
        taken = len(short.answered)
        answer, client = one(short, forwarded)
        assert (answer, client) == one(long, forwarded)
        status = int(answer.split()[1])
        assert len(short.answered) - taken == (status == 200)
        return status, client

    return ask


def test_a_trusted_proxys_clients_are_counted_one_by_one(ask: Ask) -> None:
    sent = ["203.0.113.1"] * 3
    assert [ask("behind", each) for each in sent] == [(s, sent[0]) for s in (200, 200, 429)]
    assert ask("behind", "203.0.113.2")[0] == 200
    # What a client says of itself stands before what the proxies saw.
    assert ask("behind", "198.51.100.1, 203.0.113.2, 10.0.0.9") == (200, "203.0.113.2")
    assert ask("behind", "203.0.113.2, 10.0.0.9") == (429, "203.0.113.2")


def test_an_ipv6_client_is_its_network(ask: Ask) -> None:
    sent = ["[2001:db8::1]:99", "2001:db8::2", "2001:db8::3"]
    found = [ask("behind", each) for each in sent]
    assert found == [(200, "2001:db8::1"), (200, "2001:db8::2"), (429, "2001:db8::3")]


def test_anybody_elses_word_counts_for_nothing(ask: Ask) -> None:
    sent = ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
    assert [ask("exposed", each) for each in sent] == [(s, "127.0.0.1") for s in (200, 200, 429)]


def test_where_everybody_is_believed_the_first_counts(ask: Ask) -> None:
    assert ask("believing", "198.51.100.1, 203.0.113.2") == (200, "198.51.100.1")


@pytest.mark.parametrize(("sent", "client"), [("", "127.0.0.1"), ("nonsense", "nonsense")])
def test_a_word_that_is_no_address(ask: Ask, sent: str, client: str) -> None:
    assert ask("behind", sent) == (200, client)
