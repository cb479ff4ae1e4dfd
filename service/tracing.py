"""Traces for OpenTelemetry: what a request waited for, and where its time went.

    POST /v1/models/{model}/classify    below the caller's span, where it sent a traceparent
    ├── queue                           until its images were taken; linked to their batch
    └── batch                           of the first traced request in it, linked to the others
        └── forward
    POST .../maximisations
    └── maximise                        in the worker, minutes later and maybe on another machine

Off unless OpenTelemetry's own variables say where spans go (``make_tracing``): nothing of it is
imported then. It needs the extra ``otel``.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, TypeVar

from service.logs import configure_logging

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from service.inference.batcher import Work

NAME = "glyphscope"

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXPORTER = "OTEL_TRACES_EXPORTER"
DISABLED = "OTEL_SDK_DISABLED"

Headers = Iterable[tuple[bytes, bytes]]

T = TypeVar("T")

logger = logging.getLogger("glyphscope.service")


class Tracing:
    """Safe between threads. Spans go where ``provider`` sends them, whoever else traces here."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import propagate, trace

        self._provider = provider
        self._trace = trace
        self._propagate = propagate
        self._tracer = provider.get_tracer(NAME, _version())

    def request(self, method: str, path: str, headers: Headers) -> "Span":
        """Begins when it is made; ``answered`` ends it. Not recorded where it is not sampled."""
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        attributes = {"http.request.method": method, "url.path": path, "url.scheme": "http"}
        if "user-agent" in carrier:
            attributes["user_agent.original"] = carrier["user-agent"]
        return self._tracer.start_span(
            method,
            self._propagate.extract(carrier),
            self._trace.SpanKind.SERVER,
            attributes=attributes,
        )

    def answered(
        self, span: "Span", method: str, route: str, model: str, request_id: str, status: int
    ) -> None:
        """``route`` is empty where there was none, ``status`` is 0 where the client left first."""
        if span.is_recording():
            if route:
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
            if model:
                span.set_attribute("glyphscope.model", model)
            span.set_attribute("glyphscope.request_id", request_id)
            if status:
                span.set_attribute("http.response.status_code", status)
            if status >= 500:
                # By the conventions for HTTP, what is the client's own doing is no error here.
                span.set_attribute("error.type", str(status))
                span.set_status(self._trace.StatusCode.ERROR)
        span.end()

    def within(self, span: "Span") -> Any:
        """A context: what is done inside it belongs to the span, which goes on after it."""
        return self._trace.use_span(span, record_exception=False, set_status_on_exception=False)

    def current(self) -> "Span | None":
        span = self._trace.get_current_span()
        return span if span.is_recording() else None

    def trace_id(self, span: "Span | None" = None) -> str | None:
        """As logs write it; by default that of whatever runs now."""
        found = (span or self._trace.get_current_span()).get_span_context()
        return f"{found.trace_id:032x}" if found.is_valid else None

    def waits(self, work: "Work") -> None:
        work.since = time.time_ns()

    def batch(
        self, works: Iterable["Work"], model: str, images: int, run: Callable[[], T]
    ) -> Callable[[], T]:
        """``run``, inside spans of its own, where a request of the batch is traced. Called at the
        moment in which the images are taken."""
        traced = [(work, work.span) for work in works if work.span and work.span.is_recording()]
        if not traced:
            return run
        context = self._trace.set_span_in_context(traced[0][1])
        links = [self._trace.Link(span.get_span_context()) for _, span in traced[1:]]
        attributes: dict[str, str | int] = {
            "glyphscope.model": model,
            "glyphscope.images": images,
        }
        batch = self._tracer.start_span("batch", context, links=links, attributes=attributes)
        for work, span in traced:
            self._queued(work, span, batch)

        def timed() -> T:
            try:
                with (
                    self._trace.use_span(batch, end_on_exit=True),
                    self._tracer.start_as_current_span("forward"),
                ):
                    return run()
            finally:
                # What is left of a request waits again.
                for work, _ in traced:
                    self.waits(work)

        return timed

    def _queued(self, work: "Work", span: "Span", batch: "Span") -> None:
        self._tracer.start_span(
            "queue",
            self._trace.set_span_in_context(span),
            links=[self._trace.Link(batch.get_span_context())],
            start_time=work.since,
        ).end()

    @contextmanager
    def step(self, name: str, **attributes: str) -> Iterator[None]:
        """A part of whatever runs now, where that is traced."""
        if self.current() is None:
            yield
            return
        named = {f"{NAME}.{key}": value for key, value in attributes.items()}
        with self._tracer.start_as_current_span(name, attributes=named):
            yield

    def carrier(self) -> dict[str, str]:
        """What another process needs to go on with the trace; empty where nothing is traced."""
        carrier: dict[str, str] = {}
        if self.current() is not None:
            self._propagate.inject(carrier)
        return carrier

    @contextmanager
    def job(
        self, name: str, carrier: Mapping[str, str], **attributes: str
    ) -> Iterator[Callable[[str], None]]:
        """A job's own span, below that of whoever ordered it. It is told how the job ended."""
        named = {f"{NAME}.{key}": value for key, value in attributes.items()}
        with self._tracer.start_as_current_span(
            name,
            self._propagate.extract(carrier),
            self._trace.SpanKind.CONSUMER,
            attributes=named,
        ) as span:

            def ended(how: str) -> None:
                span.set_attribute(f"{NAME}.ended", how)
                if how == "failed":
                    span.set_status(self._trace.StatusCode.ERROR)

            yield ended

    def close(self) -> None:
        """Blocking: what is not sent yet is sent."""
        self._provider.shutdown()


def log_and_trace(log_level: str) -> Tracing | None:
    """For a process's entry point: logs from here on, and traces where the environment says so."""
    configure_logging(log_level)
    tracing = make_tracing()
    if tracing is not None:
        configure_logging(log_level, tracing.trace_id)
    return tracing


def make_tracing(environment: Mapping[str, str] = os.environ) -> Tracing | None:
    """None where the environment names no receiver, or the extra is not installed: that is logged.

    The rest (sampler, headers, timeouts, resource) the SDK reads itself.
    """
    exporter = environment.get(EXPORTER, "").lower()
    wanted = exporter in ("otlp", "console") or (
        not exporter and any(environment.get(name) for name in ENDPOINTS)
    )
    if not wanted or environment.get(DISABLED, "").lower() == "true":
        return None
    try:
        return Tracing(_provider(exporter, environment))
    except ImportError:
        logger.warning("nothing is traced: install the extra, pip install 'glyphscope[otel]'")
        return None


def _provider(exporter: str, environment: Mapping[str, str]) -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    said = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    named = "OTEL_SERVICE_NAME" in environment or "service.name=" in said
    own: dict[str, str | int] = {"service.version": _version(), "process.pid": os.getpid()}
    if not named:
        own["service.name"] = NAME
    provider = TracerProvider(resource=Resource.create(own))
    if exporter == "console":
        provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
        return provider
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _version() -> str:
    try:
        return version(NAME)
    except PackageNotFoundError:
        return "0"
