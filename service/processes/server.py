"""uvicorn's server, with an end in order.

1. Told to stop (SIGTERM, SIGINT): readiness is 503 at once. For ``delay`` seconds all is served as
   before, each answer with ``Connection: close``, while load balancers look elsewhere.
2. The listening socket closes, after whoever waited in it is let in. What is new on connections
   that are open is refused with 503; what runs or waits is answered.
3. After ``drain`` seconds the rest is told 503, and the process ends.
"""

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from service.processes.lifecycle import Lifecycle
from service.processes.listeners import ACCEPTED, BACKLOG

_LAST_WORDS_SECONDS = 0.5
_TICKS_A_BEAT = 10


def _no_beat() -> None:
    return None


class Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        lifecycle: Lifecycle,
        delay: float,
        beat: Callable[[], None] = _no_beat,
    ) -> None:
        """``beat`` is called every second, by the event loop: one that hangs does not."""
        super().__init__(config)
        self._lifecycle = lifecycle
        self._delay = delay
        self._beat = beat

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_A_BEAT == 0:
            self._beat()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._lifecycle.stopping = True
        deadline = asyncio.get_running_loop().time() + self._delay
        while asyncio.get_running_loop().time() < deadline and not self.force_exit:
            self._beat()
            await asyncio.sleep(0.1)
        # So many turns of the loop as it may take to accept what the socket holds already.
        for _ in range(BACKLOG // ACCEPTED):
            await asyncio.sleep(0)
        self._lifecycle.draining = True
        drain = float(self.config.timeout_graceful_shutdown or 0)
        cut = asyncio.get_running_loop().call_later(
            max(0.0, drain - _LAST_WORDS_SECONDS), self._lifecycle.cut
        )
        try:
            await super().shutdown(sockets)
        finally:
            cut.cancel()
