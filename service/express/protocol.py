"""uvicorn's HTTP/1.1 protocol on httptools, with the short way in front of the application.

It overrides the parser's callbacks and nothing of what follows from them: order of pipelined
requests, keep-alive, flow control and draining stay uvicorn's.
"""

import asyncio
import urllib.parse
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.express.desk import Desk
from service.express.ticket import Ticket
from service.inference.scores import Scores
from service.processes.connection import Connection
from service.processes.refusal import refusal

KEY = "express"
"""Under which the application's lifespan leaves its desk; without one nothing is taken."""


class Protocol(Connection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._desk: Desk | None = self.app_state.get(KEY)

    def on_headers_complete(self) -> None:
        ticket = self._ticket() if self._desk is not None else None
        if ticket is None:
            super().on_headers_complete()
            return
        ticket.url = self.url
        ticket.keep_alive = self.parser.should_keep_alive()
        ticket.transport = self.transport
        ticket.done = self._done
        self.cycle = ticket  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        if isinstance(self.cycle, Ticket) and self.cycle.more_body:
            self.cycle.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not isinstance(self.cycle, Ticket) or not self.cycle.more_body:
            super().on_message_complete()
            return
        ticket = self.cycle
        ticket.more_body = False
        assert self._desk is not None
        if not self._desk.submit(ticket):
            self._hand_over(ticket)

    def too_slow(self) -> None:
        if isinstance(self.cycle, Ticket) and self.cycle.more_body:
            seconds = self.limits.request_seconds
            self.transport.write(refusal(504, f"the body did not come within {seconds:g} s"))
            self.transport.close()
        else:
            super().too_slow()

    def _ticket(self) -> Ticket | None:
        """One at a time: what is pipelined behind it waits in uvicorn's own line."""
        if self._surplus or self.limits.lifecycle.stopping:
            return None
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy or self.flow.write_paused or self.root_path or self.limit_concurrency is not None:
            return None
        if self.parser.get_method() != b"POST" or self.parser.get_http_version() != "1.1":
            return None
        assert self._desk is not None
        return self._desk.take(self.url, self.headers, self.scope)

    def _done(self, ticket: Ticket, scores: Scores | None) -> None:
        desk = self._desk
        assert desk is not None
        body = None if scores is None else desk.answer(ticket, scores)
        if body is None:
            self._hand_over(ticket)
            return
        defaults = self.server_state.default_headers
        head = desk.head.render(defaults, len(body), ticket.request_id, ticket.keep_alive)
        self.transport.write(head + body)
        ticket.response_complete = True
        if not ticket.keep_alive:
            self.transport.close()
        self.on_response_complete()
        desk.log(ticket, len(body))

    def _hand_over(self, ticket: Ticket) -> None:
        """To the application, as if it had been its own from the beginning."""
        whole = asyncio.Event()
        whole.set()
        cycle = RequestResponseCycle(
            scope=self._complete(ticket),
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=whole,
            expect_100_continue=False,
            keep_alive=ticket.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body += ticket.body
        cycle.more_body = False
        cycle.disconnected = ticket.disconnected
        if self.cycle is ticket:  # type: ignore[comparison-overlap]
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)

    def _complete(self, ticket: Ticket) -> Any:
        """The scope, as uvicorn completes it once the headers have come."""
        url = httptools.parse_url(ticket.url)
        path = urllib.parse.unquote(url.path.decode("ascii"))
        return {
            **ticket.scope,
            "method": "POST",
            "path": path,
            "raw_path": url.path,
            "query_string": url.query or b"",
        }
