"""Nothing is read of a request, and no work is done for it, before the gate has let it in.

Open to all: health, for who balances load; the page and the documentation, which are in the source;
and the way to hand a key in. How often those are asked for is not counted either.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.gate import Gate

OPEN = frozenset(("/", "/openapi.json", "/docs", "/v1/session"))
OPEN_FOLDERS = ("/health/", "/v2/health/", "/pad/", "/docs/", "/problems/")

CALLER = "caller"
"""In a request's state: who was let in, so that nobody is counted twice."""


class Guard:
    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_open(scope["path"]):
            state = scope.setdefault("state", {})
            if CALLER not in state:
                client = scope.get("client")
                state[CALLER] = self.gate.admit(scope["headers"], client[0] if client else None)
        await self.app(scope, receive, send)


def is_open(path: str) -> bool:
    return path in OPEN or path.startswith(OPEN_FOLDERS)
