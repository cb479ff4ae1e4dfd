"""A file of keys: what is taken, what is refused and how it is said, and that it may change."""

import hashlib
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glyphscope.errors import InvalidInput
from service.access import keys
from service.access.keys import Ring, new_key, read_keys
from service.access.new_key import app

DIGEST = hashlib.sha256(b"gs_one").hexdigest()
OTHER = hashlib.sha256(b"gs_two").hexdigest()

TOML = f"""
[alice]
sha256 = ["{DIGEST}", "{OTHER}"]
rate = 50
burst = 100

["bob.smith"]
sha256 = "{hashlib.sha256(b"gs_bob").hexdigest()}"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "keys.toml"
    file.write_text(TOML)
    return file


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at for every key."""
    monkeypatch.setattr(keys, "LOOK_SECONDS", 0.0)


def name(ring: Ring, key: bytes) -> str | None:
    found = ring.find(key)
    return found.name if found else None


def test_a_client_is_found_by_any_of_its_keys(file: Path) -> None:
    ring = Ring(file)
    assert [name(ring, key) for key in (b"gs_one", b"gs_two", b"gs_bob")] == [
        "alice",
        "alice",
        "bob.smith",
    ]
    assert [name(ring, key) for key in (b"", b"gs_on", b"gs_one ", DIGEST.encode())] == [None] * 4
    alice = ring.find(b"gs_one")
    assert alice is not None
    assert (alice.rate, alice.burst) == (50, 100)


@pytest.mark.usefixtures("impatient")
def test_a_changed_file_is_read_again(file: Path) -> None:
    ring = Ring(file)
    assert name(ring, b"gs_one") == "alice"
    file.write_text(TOML.replace(DIGEST, "0" * 64))
    assert (name(ring, b"gs_one"), name(ring, b"gs_two")) == (None, "alice")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("slip", ["[alice", "", None])
def test_a_slip_locks_nobody_out(
    file: Path, slip: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    ring = Ring(file)
    if slip is None:
        file.unlink()
    else:
        file.write_text(slip or "[alice]\nsha256 = 3\n")
    assert name(ring, b"gs_one") == "alice"
    assert "the keys stay as they were" in caplog.text
    file.write_text(TOML.replace("alice", "anna"))
    assert name(ring, b"gs_one") == "anna"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[alice", "is no TOML"),
        ("alice = 3", "alice: "),
        ("[alice]\n", "alice.sha256: Field required"),
        ("[alice]\nsha256 = 'abc'", "64 hexadecimal digits"),
        (f"[alice]\nsha256 = '{DIGEST.upper()}'", "64 hexadecimal digits"),
        ("[alice]\nsha256 = []", "at least 1 item"),
        (f"[alice]\nsha256 = '{DIGEST}'\nrate = 0", "alice.rate: Input should be greater than 0"),
        (f"[alice]\nsha256 = '{DIGEST}'\nburst = 0", "alice.burst: "),
        (f"[alice]\nsha256 = '{DIGEST}'\nrates = 3", "alice.rates: Extra inputs"),
        (f"['a b']\nsha256 = '{DIGEST}'", "'a b' is no name of a client"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as raised:
        read_keys(file)
    assert message in str(raised.value)
    assert str(file) in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        Ring(tmp_path / "keys.toml")


def test_keys_are_long_and_new() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    assert all(key.startswith("gs_") and len(key) == 46 for key in made)


def run(*arguments: object) -> str:
    found = CliRunner().invoke(app, [str(each) for each in arguments])
    assert found.exit_code == 0, found.output
    return found.output


def test_the_command_makes_a_key_that_opens(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    key = run("alice", "--file", file).strip()
    file.chmod(0o640)
    other = run("bob", "--file", file, "--rate", 2.5, "--burst", 7).strip()
    ring = Ring(file)
    assert (name(ring, key.encode()), name(ring, other.encode())) == ("alice", "bob")
    bob = ring.find(other.encode())
    assert bob is not None
    assert (bob.rate, bob.burst) == (2.5, 7)
    assert key not in file.read_text()
    assert os.stat(file).st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["keys.toml"]


def test_the_command_refuses(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    run("alice", "--file", file)
    before = file.read_text()
    for arguments, message in {
        ("alice",): "alice has a key already",
        ("a b",): "no name of a client",
        ("bob", "--rate", "0"): "rate",
    }.items():
        found = CliRunner().invoke(app, [*arguments, "--file", str(file)])
        assert found.exit_code == 2
        assert message in found.output
    file.write_text("[broken")
    found = CliRunner().invoke(app, ["bob", "--file", str(file)])
    assert found.exit_code == 2
    assert "is no TOML" in found.output
    assert file.read_text() == "[broken"
    assert before.count("sha256") == 1
