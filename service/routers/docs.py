"""``/docs``: the OpenAPI document as a page that also works without a network.

Swagger UI comes from the package fastapi-offline, which ships it; FastAPI's own page loads it from
another host and starts it by an inline script, and our pages may do neither.
"""

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

assets = StaticFiles(packages=[("fastapi_offline", "static")])

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Glyphscope API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/pad/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<script src="/docs/swagger-ui-bundle.js" defer></script>
<script src="/docs/start.js" defer></script>
</head>
<body>
<div id="api"></div>
</body>
</html>
"""

START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""


@router.get("/docs")
async def page() -> Response:
    return HTMLResponse(PAGE)


@router.get("/docs/start.js")
async def start() -> Response:
    return Response(START, media_type="text/javascript")


@router.get("/docs/{name}")
async def asset(request: Request, name: str) -> Response:
    return await assets.get_response(name, request.scope)
