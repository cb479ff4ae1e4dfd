import json
import logging
import sys

from service.logs import FIELDS, JsonLines


def record(message: str, *args: object, **options: object) -> logging.LogRecord:
    made = logging.LogRecord("some.where", logging.WARNING, "file", 1, message, args, None)
    vars(made).update(options)
    return made


def test_a_line_is_one_object() -> None:
    line = json.loads(JsonLines().format(record("%s\n%d", "a", 3, **{FIELDS: {"path": "/x\ny"}})))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "some.where",
        "message": "a\n3",
        "path": "/x\ny",
    }


def test_an_exception_stays_on_its_line() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        text = JsonLines().format(record("failed", exc_info=sys.exc_info()))
    assert "\n" not in text
    assert "ValueError: why" in json.loads(text)["exception"]


def test_what_json_cannot_hold_is_written_as_text() -> None:
    line = json.loads(JsonLines().format(record("x", **{FIELDS: {"error": KeyError("k")}})))
    assert line["error"] == "'k'"
