"""Which requests take the short way, and what they are answered.

A request is taken only where all that it says is known here, down to each header: what is new or
rare (a key, an origin, another coding) is the application's.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any

from glyphscope.errors import GlyphscopeError, KeyNeeded, TooOften
from service.access.gate import Headers
from service.express.head import Head
from service.express.proxies import PASSED_ON, Client, Proxies
from service.express.ticket import Ticket
from service.formats.answers import dumps
from service.formats.inputs import QUICK
from service.inference.model import Model
from service.inference.scores import Scores
from service.middleware import access_log
from service.middleware.compress import MIN_BYTES
from service.middleware.guard import CALLER
from service.middleware.request_id import SANE, fresh
from service.middleware.trace import SPAN, TRACE_ID
from service.routers.classify import TOP, document
from service.runtime import Runtime

MAX_BYTES = 512 * 1024
"""Of a body. One longer is read by the application, which holds its sender back meanwhile."""

TRACES = frozenset((b"traceparent", b"tracestate", b"baggage"))
"""W3C Trace Context and Baggage: for whoever traces, and nothing of an answer."""

HARMLESS = frozenset((b"host", b"user-agent", b"connection")) | TRACES | PASSED_ON
"""Headers that change nothing of an answer. How the connection ends is the parser's to say."""

TAKES_JSON = frozenset((b"*/*", b"application/json"))
"""Any other Accept is weighed by the application, which also has files of arrays to offer."""

_URL = re.compile(
    rb"/v1/models/(?P<model>[a-z0-9][a-z0-9._-]*(?:@[a-z0-9._-]+)?)/classify"
    rb"(?:\?top_k=(?P<top_k>[1-9][0-9]{0,2}))?"
)

MEDIA_TYPES = {name.encode(): name for name in QUICK}

ROUTE = "/v1/models/{model}/classify"
"""As the application writes it."""

_MAX_KNOWN = 1024


class Desk:
    def __init__(self, runtime: Runtime, head: Head) -> None:
        self._runtime = runtime
        self.head = head
        self._known: dict[bytes, tuple[str, int | None] | None] = {}
        self._models: dict[str, Model | None] = {}
        self._tracing = runtime.tracing
        self._proxies = Proxies(runtime.settings.trusted_proxies)
        # A key is the gate's to judge, and without one of no meaning.
        self._harmless = HARMLESS | {b"authorization"} if runtime.gate is not None else HARMLESS
        self._max_bytes = min(MAX_BYTES, runtime.settings.max_body_bytes)

    def take(self, url: bytes, headers: Sequence[tuple[bytes, bytes]], scope: Any) -> Ticket | None:
        """A POST of HTTP/1.1 whose headers have come, or None for the application's."""
        route = self._route(url)
        if route is None:
            return None
        media_type, request_id, length, packs = b"", b"", -1, False
        for name, value in headers:
            if name in self._harmless or (name == b"accept" and value in TAKES_JSON):
                continue
            if name == b"content-type" and value in MEDIA_TYPES and not media_type:
                media_type = value
            elif name == b"content-length" and value.isdigit() and length < 0:
                length = int(value)
            elif name == b"x-request-id" and SANE.fullmatch(value) and not request_id:
                request_id = value
            elif name == b"accept-encoding":
                packs = True
            else:
                return None
        whole = media_type and 0 < length <= self._max_bytes
        client = self._proxies.client(headers, scope["client"])
        # In this order, for who is let in has been counted.
        if not whole or not self._admits(headers, client, scope):
            return None
        name = request_id or fresh().encode()
        ticket = Ticket(*route, media_type, name, packs, client, scope)
        if self._tracing is not None:
            ticket.span = self._tracing.request("POST", _path(url), headers)
            # Where the application answers after all, the request is still this one.
            scope["state"][SPAN] = ticket.span
        return ticket

    def _admits(self, headers: Headers, client: Client, scope: Any) -> bool:
        """Else the application refuses it, in its own words."""
        gate = self._runtime.gate
        if gate is None:
            return True
        try:
            scope["state"][CALLER] = gate.admit(headers, client[0] if client else None)
        except (KeyNeeded, TooOften):
            return False
        return True

    def submit(self, ticket: Ticket) -> bool:
        """Whether it waits for its answer now; else the application says what is wrong with it."""
        try:
            model = self._model(ticket.text)
            if model is None or (ticket.top_k or 0) > len(model.labels):
                return False
            pixels = QUICK[MEDIA_TYPES[ticket.media_type]](ticket.body, model.manifest.input)
            if pixels is None or len(pixels) > self._runtime.settings.max_batch_images:
                return False
            ticket.model, ticket.pixels = model, pixels
            self._runtime.engine.submit(model, ticket)
        except GlyphscopeError:
            return False
        return True

    def _model(self, text: str) -> Model | None:
        """The store is asked once for all that one turn of the event loop reads. What a client
        sends after it was told of a change is read in a later turn."""
        if not self._models:
            asyncio.get_running_loop().call_soon(self._models.clear)
        if text not in self._models:
            self._models[text] = self._runtime.registry.at_hand(text)
        return self._models[text]

    def answer(self, ticket: Ticket, scores: Scores) -> bytes | None:
        """The body, or None where the application would compress it."""
        count = ticket.top_k or min(TOP, len(ticket.model.labels))
        body = dumps(document(ticket.model, scores, count))
        return None if ticket.packs and len(body) >= MIN_BYTES else body

    def log(self, ticket: Ticket, size: int) -> None:
        """Count it, and write its line."""
        seconds = time.perf_counter() - ticket.began
        self._runtime.metrics.answered("POST", ROUTE, ticket.model.manifest.name, 200, seconds)
        request_id, trace_id = ticket.request_id.decode(), None
        if self._tracing is not None and ticket.span is not None:
            trace_id = self._tracing.trace_id(ticket.span)
            self._tracing.answered(ticket.span, "POST", ROUTE, ticket.text, request_id, 200)
        if access_log.enabled():
            scope = {
                **ticket.scope,
                "client": ticket.client,
                "method": "POST",
                "path": _path(ticket.url),
                "state": {
                    **ticket.scope["state"],
                    "request_id": request_id,
                    TRACE_ID: trace_id,
                },
            }
            access_log.log(scope, 200, size, seconds * 1000)

    def _route(self, url: bytes) -> tuple[str, int | None] | None:
        """(model, top_k), remembered: there are few, and each comes often."""
        if url in self._known:
            return self._known[url]
        found = _URL.fullmatch(url)
        route = None
        if found is not None:
            top_k = found["top_k"]
            route = found["model"].decode(), int(top_k) if top_k else None
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[url] = route
        return route


def _path(url: bytes) -> str:
    return url.partition(b"?")[0].decode()
