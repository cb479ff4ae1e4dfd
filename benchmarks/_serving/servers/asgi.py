"""The least that ASGI asks of an application: one POST in, one JSON document out."""

from collections.abc import Callable
from typing import Any

import uvicorn

Work = Callable[[bytes], Any]
"""body -> an awaitable of the answer's bytes"""


def application(work: Work) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        found = await work(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(found))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": found})

    return app


def serve(work: Work, port: int) -> None:
    uvicorn.run(
        application(work), host="127.0.0.1", port=port, loop="uvloop", http="httptools",
        ws="none", lifespan="off", access_log=False, log_level="warning",
    )  # fmt: skip
