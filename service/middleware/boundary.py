"""The last net: whatever a route or a middleware raises is answered as a problem document."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problem import problem, respond

logger = logging.getLogger("glyphscope.service")


class Boundary:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except ClientDisconnect:
            logger.info("the client left before its request was complete")
        except Exception as error:
            if started:
                # Half an answer is out; only cutting the connection says that it is broken.
                raise
            await respond(problem(error), scope)(scope, receive, send)
