"""What a problem document's ``type`` leads to."""

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response

from glyphscope.errors import GlyphscopeError, NotFound
from service.formats.answers import read
from service.problem import STATUS

router = APIRouter(prefix="/problems", include_in_schema=False)

FIELDS = {"title": "Invalid fields", "status": 422}


def _kinds(root: type[GlyphscopeError], status: int | None) -> Iterator[tuple[str, object]]:
    status = STATUS.get(root, status)
    if status is not None:
        yield root.code, {"title": root.title, "status": status}
    for kind in root.__subclasses__():
        yield from _kinds(kind, status)


KINDS = {**dict(_kinds(GlyphscopeError, None)), "invalid-fields": FIELDS}


@router.get("/{code}")
async def kind(request: Request, code: str) -> Response:
    if code not in KINDS:
        raise NotFound("kind of problem", code, KINDS)
    return read(request, KINDS[code])
