"""Spans of the short and the long way, as OpenTelemetry's own SDK collects them."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from glyphscope.errors import InvalidInput
from glyphscope.store import Store
from service.express.protocol import Protocol
from service.maximise.cache import Cache
from service.maximise.loaded import Loaded
from service.maximise.tasks import Tasks
from tests.conftest import require
from tests.service.conftest import fake_maximise
from tests.service.express.conftest import Server
from tests.service.express.test_same_bytes import LONG, MANY, PNG, SHORT, URL, npy, request

try:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
    from opentelemetry.trace import SpanKind, StatusCode
except ImportError:
    require("otel", "needs the extra otel")

from service.tracing import Tracing

ROUTE = "POST /v1/models/{model}/classify"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
"""From the examples of W3C Trace Context."""

Spans = dict[str, list[ReadableSpan]]
"""By their names."""


class Collected:
    """A place for spans; ``sampler`` decides which."""

    def __init__(self, **provider: Any) -> None:
        self._exporter = InMemorySpanExporter()
        self._provider = TracerProvider(**provider)
        self._provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(self._provider)

    def take(self) -> Spans:
        found: Spans = {}
        for span in self._exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        self._exporter.clear()
        return found


@pytest.fixture(scope="module")
def collected() -> Collected:
    return Collected()


@pytest.fixture(scope="module")
def traced(start: Callable[..., Server], collected: Collected) -> Server:
    return start(Protocol, collected.tracing)


@pytest.fixture
def ask(
    traced: Server, collected: Collected, wait_for: Callable[..., None]
) -> Callable[..., Spans]:
    """Ask, and return the spans once those of the requests are among them."""
    collected.take()

    def ask(pieces: list[bytes], answers: int = 1) -> Spans:
        found: Spans = {}
        traced.talk(pieces, answers)

        def ended() -> bool:
            for name, spans in collected.take().items():
                found.setdefault(name, []).extend(spans)
            ours = [s for spans in found.values() for s in spans if s.kind is SpanKind.SERVER]
            return len(ours) >= answers

        wait_for(ended)
        return found

    return ask


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def identity(span: ReadableSpan) -> int:
    assert span.context is not None
    found: int = span.context.span_id
    return found


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def times(span: ReadableSpan) -> tuple[int, int]:
    """When it began and ended, in nanoseconds."""
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time, span.end_time


def linked(span: ReadableSpan) -> set[int]:
    return {link.context.span_id for link in span.links}


def check_parts(found: Spans, root: ReadableSpan) -> None:
    """A request's own spans, alone in its batch."""
    [queue], [batch], [forward] = found["queue"], found["batch"], found["forward"]
    assert (parent(queue), parent(batch)) == (identity(root), identity(root))
    assert parent(forward) == identity(batch)
    assert linked(queue) == {identity(batch)}
    assert {trace_id(span) for span in (queue, batch, forward)} == {trace_id(root)}
    assert batch.attributes == {"glyphscope.model": "mnist@1", "glyphscope.images": 1}
    began, ended = times(root)
    for span in (queue, batch, forward):
        start, end = times(span)
        assert began <= start <= end <= ended


def test_the_short_way(traced: Server, ask: Callable[..., Spans]) -> None:
    taken = len(traced.answered)
    found = ask([request(PNG, URL + "?top_k=2", User_Agent="x/1")])
    assert len(traced.answered) == taken + 1
    [root] = found[ROUTE]
    assert (root.kind, root.parent) == (SpanKind.SERVER, None)
    assert root.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/models/{model}/classify",
        "http.response.status_code": 200,
        "url.path": URL,
        "url.scheme": "http",
        "user_agent.original": "x/1",
        "glyphscope.model": "mnist",
        "glyphscope.request_id": "request-1",
    }
    check_parts(found, root)


def test_a_caller_that_traces(traced: Server, ask: Callable[..., Spans]) -> None:
    """By the short way, and by the long one."""
    for headers, short in (({}, 1), ({"Origin": "https://example.org"}, 0)):
        taken = len(traced.answered)
        found = ask([request(PNG, Traceparent=f"00-{TRACE}-{PARENT}-01", **headers)])
        assert len(traced.answered) == taken + short
        [root] = found[ROUTE]
        assert (trace_id(root), parent(root)) == (TRACE, int(PARENT, 16))
        check_parts(found, root)


def test_both_ways_say_the_same(ask: Callable[..., Spans]) -> None:
    [short] = ask([request(PNG)])[ROUTE]
    [long] = ask([request(PNG, Origin="https://example.org")])[ROUTE]
    assert short.attributes == long.attributes
    assert short.status.status_code is long.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("message", "status"),
    [(request(b"no image"), 422), (request(PNG, "/v1/models/abacus/classify"), 404)],
)
def test_what_is_handed_over_is_one_request(
    ask: Callable[..., Spans], message: bytes, status: int
) -> None:
    found = ask([message])
    [root] = found.pop(ROUTE)
    assert found == {}
    assert root.attributes is not None
    assert root.attributes["http.response.status_code"] == status
    assert root.status.status_code is StatusCode.UNSET


def test_a_pass_that_fails(traced: Server, ask: Callable[..., Spans]) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no room")

    model = traced.runtime.registry.at_hand("mnist")
    assert model is not None
    handle = model.opened().network.register_forward_pre_hook(fail)
    try:
        found = ask([request(PNG)])
    finally:
        handle.remove()
    [root] = found[ROUTE]
    assert root.attributes is not None
    assert root.attributes["error.type"] == "500"
    assert root.status.status_code is StatusCode.ERROR
    for forward in found["forward"]:
        assert forward.status.status_code is StatusCode.ERROR
        assert [event.name for event in forward.events] == ["exception"]


def test_what_has_no_route(ask: Callable[..., Spans]) -> None:
    [root] = ask([request(method="GET", url="/nothing/here")])["GET"]
    assert root.attributes is not None
    assert root.attributes["http.response.status_code"] == 404
    assert "http.route" not in root.attributes


def test_who_shares_a_batch_is_linked(ask: Callable[..., Spans]) -> None:
    """Three requests in one packet are three traces; what ran together names all of it."""
    found = ask([request(PNG) * 3], 3)
    roots = {identity(span): span for span in found[ROUTE]}
    assert len({trace_id(span) for span in roots.values()}) == 3
    assert {parent(span) for span in found["queue"]} == set(roots)
    batches = {identity(span): span for span in found["batch"]}
    for queue in found["queue"]:
        [batch] = linked(queue)
        above = parent(batches[batch])
        assert above == parent(queue) or parent(queue) in linked(batches[batch])


def test_many_images_wait_for_each_of_their_turns(ask: Callable[..., Spans]) -> None:
    many = npy([[[0, 255] * 14] * 28] * 130)
    found = ask([request(many, kind="application/x-npy", Accept="application/x-npz")])
    [root] = found[ROUTE]
    assert [s.attributes["glyphscope.images"] for s in found["batch"] if s.attributes] == [
        64,
        64,
        2,
    ]
    assert [parent(span) for span in found["queue"]] == [identity(root)] * 3
    ends = [times(span)[1] for span in found["batch"]]
    starts = [times(span)[0] for span in found["queue"]]
    assert all(start >= end for start, end in zip(starts[1:], ends, strict=False))


def test_maps_are_a_part_of_their_request(ask: Callable[..., Spans]) -> None:
    found = ask([request(PNG, "/v1/models/mnist/activations?layers=conv1")])
    [root], [maps] = found["POST /v1/models/{model}/activations"], found["activations"]
    assert parent(maps) == identity(root)
    assert maps.attributes == {"glyphscope.model": "mnist@1"}


def test_the_log_names_the_trace(
    ask: Callable[..., Spans], caplog: pytest.LogCaptureFixture, wait_for: Callable[..., None]
) -> None:
    for headers in ({}, {"Origin": "https://example.org"}):
        caplog.clear()
        with caplog.at_level(logging.INFO, "glyphscope.access"):
            [root] = ask([request(PNG, **headers)])[ROUTE]
            wait_for(lambda: [each for each in caplog.records if each.name == "glyphscope.access"])
        [record] = [each for each in caplog.records if each.name == "glyphscope.access"]
        assert record.__dict__["fields"]["trace_id"] == trace_id(root)


@pytest.mark.parametrize("name", ["png", "npy of many", "in pieces", "pipelined", "hangs up"])
def test_every_byte_is_the_same(traced: Server, long: Server, name: str) -> None:
    taken = len(traced.answered)
    pieces, answers = SHORT[name]
    assert traced.talk(pieces, answers) == long.talk(pieces, answers)
    assert len(traced.answered) > taken
    for pieces, answers in LONG.values():
        assert traced.talk(pieces, answers) == long.talk(pieces, answers)


def test_what_is_not_sampled_leaves_nothing(start: Callable[..., Server], long: Server) -> None:
    none = Collected(sampler=ParentBased(ALWAYS_OFF))
    server = start(Protocol, none.tracing)
    messages = [
        request(PNG),
        request(MANY, kind="application/x-npy"),
        request(PNG, Traceparent=f"00-{TRACE}-{PARENT}-00"),
    ]
    for message in messages:
        assert server.talk([message]) == long.talk([message])
    assert len(server.answered) == 3
    assert none.take() == {}


def failing(*_: object, **__: object) -> Any:
    raise InvalidInput("on purpose")


@pytest.mark.parametrize("maximise", [fake_maximise, failing])
def test_a_job_is_a_part_of_the_trace_that_ordered_it(
    traced: Server, collected: Collected, ask: Callable[..., Spans], maximise: Any
) -> None:
    units = [int(maximise is failing)]
    body = json.dumps({"layer": "logits", "units": units, "steps": 16}).encode()
    found = ask([request(body, "/v1/models/mnist/maximisations", kind="application/json")])
    [root] = found["POST /v1/models/{model}/maximisations"]
    found_by, settings = traced.runtime.maximisations, traced.runtime.settings
    jobs = found_by.jobs
    [job] = jobs.open_ids()
    Tasks(
        jobs,
        Loaded(Store(settings.store), "cpu"),
        found_by.queue.enqueue,
        Cache(jobs, settings.max_cache_bytes),
        maximise=maximise,
        tracing=collected.tracing,
    ).run(job)
    [span] = collected.take()["maximise"]
    assert (span.kind, trace_id(span), parent(span)) == (
        SpanKind.CONSUMER,
        trace_id(root),
        identity(root),
    )
    ended = "done" if maximise is fake_maximise else "failed"
    assert span.attributes == {
        "glyphscope.model": "mnist@1",
        "glyphscope.job": job,
        "glyphscope.ended": ended,
    }
    assert (span.status.status_code is StatusCode.ERROR) == (ended == "failed")
    assert jobs.trace("f" * 40) == {}
