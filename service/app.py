"""``create_app(settings)``: everything put together, for uvicorn or any other ASGI server."""

import asyncio
import functools
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from glyphscope.errors import GlyphscopeError
from service.document import openapi
from service.express.desk import Desk
from service.express.head import find_head
from service.express.protocol import KEY
from service.middleware.access_log import AccessLog
from service.middleware.admission import Admission
from service.middleware.body_limit import BodyLimit
from service.middleware.boundary import Boundary
from service.middleware.compress import Compress
from service.middleware.deadline import Deadline
from service.middleware.decompress import Decompress
from service.middleware.deprecated import Deprecated
from service.middleware.guard import Guard
from service.middleware.head import Head
from service.middleware.measure import Measure, Routed
from service.middleware.request_id import HEADER, RequestId
from service.middleware.security import SecurityHeaders
from service.middleware.trace import Trace
from service.problem import handle
from service.processes import connection
from service.processes.lifecycle import Lifecycle
from service.routers import (
    activations,
    admin,
    adversarials,
    attributions,
    classify,
    comparisons,
    confusions,
    docs,
    embedding,
    evolutions,
    examples,
    filters,
    health,
    images,
    inversions,
    maximisations,
    metrics,
    models,
    pad,
    pictures,
    presets,
    problems,
    session,
    status,
    units,
    v2_infer,
    v2_models,
    v2_repository,
    v2_server,
)
from service.runtime import Runtime, make_runtime
from service.settings import Settings, load_settings
from service.tracing import Tracing, log_and_trace

ROOMS = (
    health,
    models,
    classify,
    v2_infer,
    activations,
    filters,
    units,
    images,
    embedding,
    confusions,
    attributions,
    examples,
    evolutions,
    adversarials,
    inversions,
    comparisons,
    maximisations,
    pictures,
    presets,
    problems,
    status,
    metrics,
    docs,
    pad,
    v2_server,
    v2_models,
    v2_repository,
)
"""Each has a router; a path is looked for in this order, and /docs shows them in it."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def create_app(settings: Settings, tracing: Tracing | None = None) -> FastAPI:
    runtime = make_runtime(settings, tracing)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        with told_to_stop(runtime.stop), told_to_look(runtime.watcher.wake):
            try:
                await runtime.start()
                head = await find_head(_middleware(settings, runtime))
                desk = {KEY: Desk(runtime, head)} if head else {}
                yield {connection.KEY: _limits(settings, runtime.lifecycle), **desk}
            finally:
                await runtime.close()

    app = FastAPI(
        title=openapi.TITLE,
        description=openapi.DESCRIPTION,
        version=openapi.VERSION,
        lifespan=lifespan,
        middleware=_middleware(settings, runtime),
        exception_handlers=dict.fromkeys(ANSWERED, handle),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.runtime = runtime
    app.openapi = functools.cache(lambda: openapi.document(app, settings))  # type: ignore[method-assign]
    for room in ROOMS:
        app.include_router(room.router)
    if settings.api_keys is not None:
        app.include_router(session.router)
    if settings.admin_key:
        app.include_router(admin.router)
        app.include_router(v2_repository.admin)
    app.mount("/pad", pad.files)
    return app


def from_environment() -> FastAPI:
    """The factory of a server that starts its own processes: ``uvicorn --factory``."""
    settings = load_settings()
    return create_app(settings, log_and_trace(settings.log_level))


ANSWERED: tuple[type[Exception], ...] = (
    GlyphscopeError,
    HTTPException,
    RequestValidationError,
    ValidationError,
)
"""All else is caught by ``Boundary``, which is outside of the routes."""


def _middleware(settings: Settings, runtime: Runtime) -> list[Middleware]:
    """From the outside in."""
    lifecycle = runtime.lifecycle
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[HEADER, "ETag", "Location", "Retry-After", "Deprecation", "Sunset", "Link"],
    )
    return [
        Middleware(RequestId),
        *([Middleware(Trace, tracing=runtime.tracing)] if runtime.tracing else []),
        Middleware(Measure),
        Middleware(SecurityHeaders),
        Middleware(AccessLog),
        *([cors] if settings.cors_origins else []),
        Middleware(Boundary),
        *([Middleware(Guard, gate=runtime.gate)] if runtime.gate is not None else []),
        Middleware(
            Admission,
            lifecycle=lifecycle,
            max_requests=settings.max_requests,
            max_bytes=settings.max_waiting_bytes,
        ),
        Middleware(
            Deadline, lifecycle=runtime.lifecycle, seconds=settings.request_deadline_seconds
        ),
        Middleware(BodyLimit, max_bytes=settings.max_body_bytes),
        Middleware(Decompress, max_bytes=settings.max_body_bytes),
        Middleware(Head),
        Middleware(Compress),
        Middleware(Deprecated),
        Middleware(Routed),
    ]


def _limits(settings: Settings, lifecycle: Lifecycle) -> connection.Limits:
    return connection.Limits(
        settings.header_seconds,
        settings.request_deadline_seconds,
        settings.max_connections,
        lifecycle,
    )


@contextmanager
def told_to_look(look: Callable[[], None]) -> Iterator[None]:
    """SIGHUP: look at the store now. Nothing is restarted, dropped or reloaded that is the same."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, look)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


@contextmanager
def told_to_stop(tell: Callable[[], None]) -> Iterator[None]:
    """Tell as soon as the process gets its signal.

    uvicorn tells an app only after the last request is answered, which is too late for requests
    that wait for something.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(tell)
        previous = before[signal.Signals(number)]
        if callable(previous):
            previous(number, frame)

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
