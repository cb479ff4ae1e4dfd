import json
import logging
import sys

from service.logs import FIELDS, JsonLines, QueueTrouble


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


def test_a_queue_that_is_away_is_one_short_line_a_minute() -> None:
    now = 0.0
    trouble = QueueTrouble(every=60, clock=lambda: now)
    passed = []
    for now in (0.0, 0.25, 59.9, 60.0):
        try:
            raise ConnectionError("refused by redis:6379")
        except ConnectionError:
            line = record("Error reading from queue", exc_info=sys.exc_info())
        if trouble.filter(line):
            passed.append((now, json.loads(JsonLines().format(line))))
    assert [when for when, _ in passed] == [0.0, 60.0]
    assert passed[0][1]["message"] == "Error reading from queue: refused by redis:6379"
    assert "exception" not in passed[0][1]


def test_every_other_failure_keeps_its_traceback() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        lines = [record("failed", exc_info=sys.exc_info()) for _ in range(2)]
    trouble = QueueTrouble()
    assert all(trouble.filter(line) for line in lines)
    assert "Traceback" in json.loads(JsonLines().format(lines[1]))["exception"]
