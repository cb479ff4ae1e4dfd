"""When traces are on, and that they arrive, at a receiver of OTLP: it reads them by the messages
that OpenTelemetry itself has made of its protocol."""

import http.server
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from service import tracing
from service.logs import JsonLines
from service.tracing import make_tracing
from tests.conftest import require

try:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
except ImportError:
    require("otel", "needs the extra otel")

ENDPOINT = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "digits"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT},
    ],
)
def test_off(environment: dict[str, str]) -> None:
    assert make_tracing(environment) is None


def test_without_the_extra_it_is_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise ImportError("opentelemetry.sdk")

    monkeypatch.setattr(tracing, "_provider", missing)
    with caplog.at_level(logging.WARNING, "glyphscope.service"):
        assert make_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}) is None
    assert "glyphscope[otel]" in caplog.text


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.received = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", [None, "digits"])
def test_spans_arrive(receiver: Any, monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    url = f"http://127.0.0.1:{receiver.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    if name:
        monkeypatch.setenv("OTEL_SERVICE_NAME", name)
    found = make_tracing()
    assert found is not None
    span = found.request("GET", "/v1/models", [])
    with found.within(span):
        named = found.trace_id()
        line = JsonLines(found.trace_id).format(logging.makeLogRecord({"msg": "inside"}))
    found.answered(span, "GET", "/v1/models", "", "request-1", 200)
    assert found.trace_id() is None
    found.close()

    [(path, body)] = receiver.received
    assert path == "/v1/traces"
    [resource] = ExportTraceServiceRequest.FromString(body).resource_spans
    said = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert said["service.name"] == (name or "glyphscope")
    [sent] = resource.scope_spans[0].spans
    assert (sent.name, sent.trace_id.hex()) == ("GET /v1/models", named)
    assert json.loads(line)["trace_id"] == named
