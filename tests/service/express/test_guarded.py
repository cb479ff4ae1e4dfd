"""The short way of a server with keys: the same answers, and each request counted once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service.access.keys import digest
from service.express.protocol import Protocol
from tests.service.express.conftest import Server
from tests.service.express.test_same_bytes import PNG, request

KEYS = f"""
[alice]
sha256 = "{digest(b"gs_alice").hex()}"
[hurried]
sha256 = "{digest(b"gs_hurried").hex()}"
rate = 0.001
burst = 3
[other]
sha256 = "{digest(b"gs_other").hex()}"
rate = 0.001
burst = 3
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text(KEYS)
    return file


@pytest.fixture(scope="module")
def short(start: Callable[..., Server], keys: Path) -> Server:
    return start(Protocol, api_keys=keys, admin_key="admin")


@pytest.fixture(scope="module")
def long(start: Callable[..., Server], keys: Path) -> Server:
    return start("httptools", api_keys=keys, admin_key="admin")


@pytest.mark.parametrize("key", ["gs_alice", "admin"])
def test_a_key_is_taken_the_short_way(short: Server, long: Server, key: str) -> None:
    taken = len(short.answered)
    message = [request(PNG, Authorization=f"Bearer {key}")]
    found = short.talk(message)
    assert found == long.talk(message)
    assert found.startswith(b"HTTP/1.1 200")
    assert len(short.answered) == taken + 1


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer gs_nobody"}])
def test_who_has_none_is_refused(short: Server, long: Server, headers: dict[str, str]) -> None:
    taken = len(short.answered)
    message = [request(PNG, **headers)]
    found = short.talk(message)
    assert found == long.talk(message)
    assert found.startswith(b"HTTP/1.1 401")
    assert len(short.answered) == taken


@pytest.mark.parametrize(
    ("key", "body"), [("gs_hurried", PNG), ("gs_other", b"no image")], ids=["short", "handed over"]
)
def test_each_request_is_counted_once(short: Server, key: str, body: bytes) -> None:
    message = request(body, Authorization=f"Bearer {key}")
    found = [short.talk([message]).split()[1] for _ in range(4)]
    assert found == [b"200" if body is PNG else b"422"] * 3 + [b"429"]
