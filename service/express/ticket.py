"""One request on the short way. To uvicorn's protocol it is a cycle like its own: it counts as
running, is marked when the client leaves, and is told when the server drains."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from starlette.types import Scope

from glyphscope.preprocess import Pixels
from service.express.proxies import Client
from service.inference.batcher import Work
from service.inference.model import Model
from service.inference.scores import Scores


class Ticket(Work):
    pixels: Pixels
    model: Model

    def __init__(
        self,
        text: str,
        top_k: int | None,
        media_type: bytes,
        request_id: bytes,
        packs: bool,
        client: Client,
        scope: Scope,
    ) -> None:
        """``text`` names the model; ``packs``: the client takes compressed answers; ``client`` is
        who asks, which in ``scope`` may be the proxy, as it is before the application."""
        self.taken = 0
        self.parts = []
        self.text = text
        self.top_k = top_k
        self.media_type = media_type
        self.request_id = request_id
        self.packs = packs
        self.client = client
        self.scope = scope
        self.url = b""
        self.began = time.perf_counter()
        self.transport: asyncio.Transport
        self.done: Callable[[Ticket, Scores | None], None]
        # What uvicorn reads and writes of a cycle:
        self.body = b""
        self.more_body = True
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self.message_event: Any = self

    def set(self) -> None:
        """Nobody waits for the body: it is taken when it is whole."""

    @property
    def dropped(self) -> bool:
        return self.disconnected or self.transport.is_closing()

    def answered(self, scores: Scores) -> None:
        self.done(self, scores)

    def failed(self, error: Exception) -> None:
        self.done(self, None)
