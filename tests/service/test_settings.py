"""Options beat environment beats glyphscope.toml beats defaults; and what is wrong is named."""

from pathlib import Path
from typing import Any

import pytest

from glyphscope.errors import InvalidInput
from service.settings import Settings, load_settings


def toml(text: str) -> None:
    Path("glyphscope.toml").write_text(text)


def test_defaults() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, None)
    assert settings.store == Path(__file__).parents[2] / "checkpoints"
    assert settings.state == Path.home() / ".cache" / "glyphscope"
    assert settings.cors_origins == ()


def test_each_source_beats_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[serve]\nport = 1\nworkers = 2\nthreads = 3\n")
    monkeypatch.setenv("GLYPHSCOPE_PORT", "4")
    monkeypatch.setenv("GLYPHSCOPE_WORKERS", "5")
    settings = load_settings(port=6, host=None)
    assert (settings.port, settings.workers, settings.threads) == (6, 5, 3)
    assert settings.host == "127.0.0.1"


def test_tables_of_other_programs_are_theirs() -> None:
    toml("[train]\nruns = 'here'\n")
    assert load_settings().port == 8000


def test_the_environment_carries_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_settings(
        port=0, store="store", cors_origins=("https://a.example", "https://b.example"), queue=""
    )
    for name, value in first.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == first


def test_folders_are_absolute(tmp_path: Path) -> None:
    settings = load_settings(store="somewhere", state="~/else")
    assert settings.store == tmp_path / "somewhere"
    assert settings.state == Path.home() / "else"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": 70000}, ("port", "65535", "70000")),
        ({"port": "http"}, ("port", "http")),
        ({"workers": 0}, ("workers",)),
        ({"device": "tpu"}, ("device", "cuda", "tpu")),
        ({"queue": "amqp://somewhere"}, ("queue", "redis")),
        ({"log_level": "loud"}, ("log_level", "info")),
        ({"watch_seconds": 0}, ("watch_seconds", "greater than 0")),
        ({"colour": "red"}, ("colour", "known: host")),
    ],
)
def test_bad_options(options: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_settings(**options)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = 3", "[serve]"),
        ("[serve]\nprot = 3", "'prot'"),
        ("[serve", "glyphscope.toml"),
        ("[serve]\nport = 'x'", "port"),
    ],
)
def test_a_bad_file(text: str, words: str) -> None:
    toml(text)
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert words in str(caught.value)


def test_a_bad_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLYPHSCOPE_CORS_ORIGINS", "not json")
    with pytest.raises(InvalidInput, match="cors_origins"):
        load_settings()


def test_the_admin_key_is_in_no_message() -> None:
    toml("[serve]\nadmin_key = 12345\n")
    with pytest.raises(InvalidInput, match="admin_key") as caught:
        load_settings()
    assert "12345" not in str(caught.value)
    assert "12345" not in repr(Settings(admin_key="12345"))


def test_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]
