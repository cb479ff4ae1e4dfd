"""The drawing pad: the static files of clients/pad, found by path and never imported."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from service.formats.answers import REVALIDATE

FOLDER = Path(__file__).parents[2] / "clients" / "pad"

router = APIRouter(include_in_schema=False)


class Files(StaticFiles):
    """With an ETag each, asked for again every time: a page and its modules are one version."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = REVALIDATE
        return response


files = Files(directory=FOLDER, check_dir=False)
"""The app mounts them at /pad."""


@router.get("/")
async def index(request: Request) -> Response:
    try:
        return await files.get_response("index.html", request.scope)
    except HTTPException:
        raise HTTPException(404, "the drawing pad is not installed; /docs lists the API") from None
