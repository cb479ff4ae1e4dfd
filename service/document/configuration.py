"""``docs/configuration.md``, written from the settings themselves.

python -m service.document.configuration > docs/configuration.md
"""

import sys
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from service.settings import PREFIX, SECRET, TABLE, Settings

HEAD = f"""# Configuration

Every setting of `glyphscope-serve` and `glyphscope-worker`. A setting is an environment variable,
or a key of the table `[{TABLE}]` in `glyphscope.toml` of the folder that the command is started in;
the commonest are options too (`glyphscope-serve --help`). Options beat the environment, which beats
the file, which beats the defaults. Lists are JSON. An unknown key or a value out of bounds ends the
command with a line that says what is allowed.

Written by `python -m service.document.configuration`; a test holds it against the code.

| setting | default | allowed | what it is |
|---|---|---|---|
"""

_FOUND_OUT = {
    "store": "the shipped models",
    "workers": "one a core, or one a GPU",
    "drawing_threads": "every core",
}
"""Defaults that depend on the machine."""

_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def page() -> str:
    return HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    schema = Settings.model_json_schema()["properties"][name]
    cells = [f"`{PREFIX}{name.upper()}`", _default(name, field), _allowed(schema, field)]
    return f"| {' | '.join(cells)} | {field.description or ''} |\n"


def _default(name: str, field: FieldInfo) -> str:
    value = field.default
    if name in _FOUND_OUT:
        return _FOUND_OUT[name]
    if value is None or value in ("", ()):
        return "none"
    if name in SECRET:
        raise ValueError(f"{name} is secret and has a default")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value}".removesuffix(".0")
    return f"`{value}`" if isinstance(value, Path | str) else str(value)


def _allowed(schema: dict[str, Any], field: FieldInfo) -> str:
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    bounds = [
        f"{sign} {getattr(rule, key)}"
        for rule in field.metadata
        for key, sign in _SIGNS.items()
        if hasattr(rule, key)
    ]
    kinds = {each.get("type") for each in schema.get("anyOf", [schema])}
    if "array" in kinds:
        return "a list"
    kind = "whole number" if "integer" in kinds else "number" if "number" in kinds else "text"
    kind = "a folder" if schema.get("format") == "path" else kind
    return ", ".join([kind, *bounds])


if __name__ == "__main__":
    sys.stdout.write(page())
