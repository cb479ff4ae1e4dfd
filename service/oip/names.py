"""Names and versions in paths -> models and manifests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Path
from starlette.requests import Request

from glyphscope.errors import NotFound
from glyphscope.manifest import Manifest
from service.inference.model import Model
from service.runtime import request_id, runtime

Name = Annotated[
    str,
    Path(
        description="`name`; also `name@7` or `name@alias`",
        openapi_examples={"mnist": {"value": "mnist"}},
    ),
]


class UnknownModel(NotFound):
    """In the words of Triton's server, by which its users' programs know this error."""

    def __init__(self, text: str, error: NotFound) -> None:
        super().__init__(error.kind, error.name, error.known)
        name, _, version = text.partition("@")
        which = f"{name!r} version {version!r}" if version else repr(name)
        self.args = (f"Request for unknown model: {which} is not found; {self._allowed()}",)


async def find(request: Request) -> Model:
    """The version that answers this request. Raises ``UnknownModel`` for a name or version, and
    what the registry raises where it cannot be served."""
    found, text = runtime(request), reference(request)
    with in_their_words(text):
        return await found.registry.route(text, request_id(request))


async def describe(request: Request) -> Manifest:
    """As ``find``; verified, but not loaded."""
    found, text = runtime(request), reference(request)
    with in_their_words(text):
        return await found.registry.manifest(text)


def reference(request: Request) -> str:
    """Of the path. ``version`` may also be an alias; without one it is the alias ``production``."""
    model: str = request.path_params["model"]
    version = request.path_params.get("version")
    return model if version is None else f"{model}@{version}"


@contextmanager
def in_their_words(text: str) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise UnknownModel(text, error) from None
