"""A real server on a free port, which clients of others' making talk to."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray

from glyphscope import checkpoint
from glyphscope.checkpoint import Checkpoint
from glyphscope.store import Store
from service.app import create_app
from service.settings import Settings

Pixels = NDArray[np.uint8]

KEY = "correct horse battery staple"


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, publish_to: Callable[[Store], Callable[..., Any]]
) -> Store:
    """mnist@1 and @2, of which 2 is in production."""
    store = Store(tmp_path_factory.mktemp("oip") / "store")
    publish_to(store)()
    publish_to(store)(seed=1)
    return store


@pytest.fixture(scope="module")
def address(served: Store, wait_for: Callable[[Callable[[], Any]], None]) -> Iterator[str]:
    """host:port"""
    settings = Settings(
        store=served.root,
        state=served.root.parent / "state",
        device="cpu",
        max_body_bytes=1_000_000,
        admin_key=KEY,
    )
    config = uvicorn.Config(
        create_app(settings), http="httptools", loop="asyncio", lifespan="on", log_config=None
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_for(lambda: server.started or not thread.is_alive())
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def admin() -> dict[str, str]:
    """An administrator's headers."""
    return {"X-Admin-Key": KEY}


@pytest.fixture(scope="module")
def network(served: Store) -> Checkpoint:
    """What is in production, read past the server."""
    return checkpoint.load(Path(served.root) / "mnist" / "2")


@pytest.fixture(scope="module")
def images() -> Pixels:
    """(5, 1, 28, 28)"""
    return np.random.default_rng(0).integers(0, 256, (5, 1, 28, 28), np.uint8)
