"""The reference of the settings is complete and true."""

from pathlib import Path

from service.document.configuration import page
from service.settings import PREFIX, Settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_document_is_what_the_settings_say() -> None:
    """Where this fails: python -m service.document.configuration > docs/configuration.md"""
    assert DOCUMENT.read_text() == page()


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"`{PREFIX}{name.upper()}`" in DOCUMENT.read_text()


def test_bounds_and_defaults_are_told() -> None:
    lines = {line.split("|")[1].strip(): line for line in page().splitlines() if "GLYPH" in line}
    assert "| 8000 | whole number, >= 0, <= 65535 |" in lines["`GLYPHSCOPE_PORT`"]
    assert "| 0.25 | number, > 0, <= 60 |" in lines["`GLYPHSCOPE_WATCH_SECONDS`"]
    assert "`debug`, `info`, `warning`, `error`" in lines["`GLYPHSCOPE_LOG_LEVEL`"]
    assert "| none | text |" in lines["`GLYPHSCOPE_ADMIN_KEY`"]
