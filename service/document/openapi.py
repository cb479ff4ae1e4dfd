"""What the OpenAPI document says beyond what FastAPI reads off the routes."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from fastapi import FastAPI, Path
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from glyphscope.visualise import MaximisationRequest
from service.document import examples, schemas
from service.document.deprecation import DEPRECATED, Table
from service.middleware.guard import is_open
from service.oip.schemas import OipRequest
from service.problem import MEDIA_TYPE
from service.settings import Settings

TITLE = "Glyphscope"
DESCRIPTION = """Small convolutional networks for MNIST, Fashion-MNIST and EMNIST: classify what
somebody drew, and see what every layer makes of it.

`{model}` is `name`, `name@7` or `name@alias`; a bare name means its alias `production`. Reads carry
an ETag. Errors are `application/problem+json` (RFC 9457)."""

_MODEL_NAMES: dict[str, Any] = {
    name: {"value": name} for name in ("mnist", "mnist@1", "mnist@production")
}

Responses = dict[int | str, dict[str, Any]]

ModelName = Annotated[
    str, Path(description="`name`, `name@7` or `name@alias`", openapi_examples=_MODEL_NAMES)
]
"""What ``{model}`` is in every path."""

LayerName = Annotated[
    str,
    Path(
        description="as `/v1/models/{model}/layers` names it",
        openapi_examples={name: {"value": name} for name in ("conv1", "block2.conv1", "logits")},
    ),
]

UnitNumber = Annotated[str, Path(description="from 0", openapi_examples={"3": {"value": "3"}})]


def _version() -> str:
    try:
        return version("glyphscope")
    except PackageNotFoundError:
        return "0"


VERSION = _version()

_PROBLEMS: dict[int, tuple[str, dict[str, Any]]] = {
    400: (
        "The body is not JSON, or not a form",
        {"title": "Bad Request", "detail": "the body is not JSON: unexpected end of data"},
    ),
    429: (
        "The client asks more often than it may (with Retry-After)",
        {
            "type": "/problems/too-often",
            "title": "Too many requests",
            "detail": "alice may ask 50 times a second, 100 at once; again in 1 s",
        },
    ),
    401: (
        "The key is missing or wrong",
        {
            "title": "Unauthorized",
            "detail": "an administrator's call needs the admin key: X-Admin-Key or "
            "Authorization: Bearer",
        },
    ),
    404: (
        "A name that is not known",
        {
            "type": "/problems/not-found",
            "title": "Not found",
            "detail": "unknown model 'mnits'; known: emnist, fashion-mnist, mnist",
            "known": ["emnist", "fashion-mnist", "mnist"],
        },
    ),
    406: (
        "Nothing that the Accept header takes",
        {
            "title": "Not Acceptable",
            "detail": "nothing here is 'text/html'; there is application/json, application/x-npz, "
            "application/x-safetensors",
        },
    ),
    409: (
        "Not possible in this state",
        {
            "type": "/problems/conflict",
            "title": "Not possible in this state",
            "detail": "maximisation 3f2a... is running; it has pictures once it is done",
        },
    ),
    413: (
        "Too large",
        {
            "type": "/problems/too-large",
            "title": "Too large",
            "detail": "the image has 30000x30000 pixels; 16777216 in all are allowed",
        },
    ),
    415: (
        "A content type that is not taken",
        {
            "title": "Unsupported Media Type",
            "detail": "content type 'text/plain' is not taken here; send image/png, image/jpeg, "
            "image/webp, application/x-npy, application/json, multipart/form-data",
        },
    ),
    422: (
        "The input cannot be used",
        {
            "type": "/problems/not-an-image",
            "title": "Not an image",
            "detail": "these bytes are no PNG, JPEG or WebP image",
        },
    ),
    504: (
        "Not worked out in time",
        {
            "title": "Gateway Timeout",
            "detail": "not worked out within 60 s; ask for less, or try again later",
        },
    ),
    503: (
        "Too much waits (with Retry-After), or the version is broken",
        {
            "type": "/problems/broken-checkpoint",
            "title": "The checkpoint is broken",
            "detail": "mnist@2: model.safetensors is not the file that was published",
        },
    ),
}


def _problems(*statuses: int) -> Responses:
    found: Responses = {}
    for status in statuses:
        description, members = _PROBLEMS[status]
        example = {
            "type": "about:blank",
            "status": status,
            "instance": "/v1/models/mnits/classify",
            "request_id": "0b6f3c9e4a524a9d8f2f4d4f7c1f2f0a",
            **members,
        }
        content = {MEDIA_TYPE: {"schema": _PROBLEM_REF, "example": example}}
        found[status] = {"description": description, "content": content}
    return found


_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}


def _json(model: type[schemas.Shape], description: str, example: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = {"description": description, "model": model}
    if example is not None:
        found["content"] = {"application/json": {"example": example}}
    return found


def _files(description: str, *media_types: str) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {"description": description, "content": dict.fromkeys(media_types, binary)}


_IMAGES = (400, 404, 413, 415, 422, 503)

READINESS: Responses = {
    200: _json(schemas.Readiness, "Models can be asked", examples.ANSWERS["readiness"]),
    503: _json(
        schemas.Readiness,
        "No model can be asked, for these reasons",
        {
            **examples.ANSWERS["readiness"],
            "status": "not ready",
            "reasons": ["the process is stopping"],
        },
    ),
}
STATUS: Responses = {200: _json(schemas.Status, "Of all processes")}
MODELS: Responses = {200: _json(schemas.Models, "By name", examples.ANSWERS["models"])}
MANIFEST: Responses = {
    200: {"description": "manifest.json, and `digest`", "model": dict[str, Any]},
    **_problems(404, 503),
}
LAYERS: Responses = {
    200: _json(schemas.Layers, "From the input to the logits", examples.ANSWERS["layers"]),
    **_problems(404, 503),
}
CLASSIFY: Responses = {
    200: {
        **_json(schemas.Predictions, "One prediction an image, in what Accept likes best"),
        "content": {
            "application/json": {"example": examples.ANSWERS["predictions"]},
            **_files("", "application/x-npz", "application/x-safetensors")["content"],
        },
    },
    **_problems(*_IMAGES, 406),
}
ACTIVATIONS: Responses = {
    200: {
        **_json(schemas.Activations, "In the format asked for"),
        "content": {
            "application/json": {"example": examples.ANSWERS["activations"]},
            **_files("", "application/x-npz", "application/x-safetensors", "image/png")["content"],
        },
    },
    **_problems(*_IMAGES, 406),
}
FILTERS: Responses = {
    200: _files("PNG", "image/png"),
    **_problems(404, 413, 422, 503),
}
IMAGE: Responses = {200: _files("PNG", "image/png"), **_problems(404, 413, 422, 503)}
UNITS: Responses = {
    200: _json(schemas.Units, "In the layer's order", examples.ANSWERS["units"]),
    **_problems(404, 503),
}
EMBEDDING: Responses = {
    200: _json(schemas.Embedding, "A column a property", examples.ANSWERS["embedding"]),
    **_problems(404, 503),
}
PLACES: Responses = {
    200: _json(schemas.Places, "One place an image", examples.ANSWERS["places"]),
    **_problems(*_IMAGES, 504),
}
CONFUSIONS: Responses = {
    200: _json(schemas.Confusions, "Cells that have images", examples.ANSWERS["confusions"]),
    **_problems(404, 503),
}
CONFUSION: Responses = {
    200: _json(schemas.Confusion, "The cell", examples.ANSWERS["confusion"]),
    **_problems(404, 503, 504),
}
METHODS: Responses = {
    200: _json(schemas.Methods, "In the order to show them", examples.ANSWERS["methods"]),
    **_problems(404, 503),
}
ATTRIBUTIONS: Responses = {
    200: {
        **_json(schemas.Attributions, "In the format asked for"),
        "content": {
            "application/json": {"example": examples.ANSWERS["attributions"]},
            **_files("", "application/x-npz", "image/png")["content"],
        },
    },
    **_problems(*_IMAGES, 504),
}
EXAMPLES: Responses = {
    200: _json(schemas.Examples, "The strongest first", examples.ANSWERS["unit_examples"]),
    **_problems(404, 503),
}
EVOLUTION: Responses = {
    200: _json(schemas.Evolution, "By epoch, the published last", examples.ANSWERS["evolution"]),
    **_problems(404, 422, 503, 504),
}
ADVERSARIALS: Responses = {
    200: _json(schemas.Adversarials, "One an image", examples.ANSWERS["adversarials"]),
    **_problems(*_IMAGES, 504),
}
INVERSIONS: Responses = {
    200: {
        **_json(schemas.Inversions, "One an image"),
        "content": {
            "application/json": {"example": examples.ANSWERS["inversions"]},
            **_files("", "image/png")["content"],
        },
    },
    **_problems(*_IMAGES, 504),
}
COMPARISON: Responses = {
    200: _json(schemas.Comparison, "Side by side", examples.ANSWERS["comparison"]),
    **_problems(404, 422, 503, 504),
}
MAXIMISE: Responses = {
    200: _json(schemas.Maximisation, "It exists already", examples.ANSWERS["done"]),
    201: _json(schemas.Maximisation, "Queued; Location names it", examples.ANSWERS["queued"]),
    **_problems(400, 404, 413, 415, 422, 503),
}
MAXIMISATION: Responses = {
    200: _json(schemas.Maximisation, "The job", examples.ANSWERS["done"]),
    **_problems(404),
}
PRESETS: Responses = {200: _json(schemas.Presets, "By name")}
EVENTS: Responses = {
    200: {"description": "Until the job is over", "content": {"text/event-stream": {}}},
    204: {"description": "The end was told before"},
    **_problems(404, 422),
}
ANIMATION: Responses = {
    200: _files("Lossless WebP; never changes", "image/webp"),
    **_problems(404, 409, 413, 422),
}
PICTURE: Responses = {
    200: _files("PNG; never changes", "image/png"),
    **_problems(404, 409, 413, 422),
}

SESSION: Responses = {
    204: {"description": "From here on the browser sends the key by itself"},
    **_problems(400, 401, 413, 415, 422),
}
ADMIN: Responses = {
    200: {"description": "What is so now", "model": dict[str, Any]},
    **_problems(400, 401, 404, 409, 413, 415, 422),
}


def body(shape: type[BaseModel], example: Any) -> dict[str, Any]:
    """A JSON body that a route reads itself."""
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs", {})
    schema["properties"] = {
        name: _inlined(member, parts) for name, member in schema["properties"].items()
    }
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(part: Any, parts: dict[str, Any]) -> Any:
    if isinstance(part, dict):
        if "$ref" in part:
            return parts[part["$ref"].rpartition("/")[2]]
        return {key: _inlined(value, parts) for key, value in part.items()}
    return [_inlined(value, parts) for value in part] if isinstance(part, list) else part


_BINARY = {"schema": {"type": "string", "format": "binary"}}

_BODIES = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "application/x-npy",
    "application/x-npz",
    "application/x-safetensors",
)

IMAGES_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Inputs"},
                "examples": examples.INPUTS,
            },
            **dict.fromkeys(_BODIES, _BINARY),
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "array", "items": _BINARY["schema"]}},
                }
            },
        },
    }
}

MAXIMISE_BODY: dict[str, Any] = {
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "schema": {"type": "string"},
            "description": "`wait=10` answers when it is done, after 10 s at the latest",
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/MaximisationRequest"},
                "examples": examples.MAXIMISATIONS,
            }
        },
    },
}


def document(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """FastAPI's own document, with the shapes that routes read and write themselves."""
    found = get_openapi(title=TITLE, version=VERSION, description=DESCRIPTION, routes=app.routes)
    named = found["components"]["schemas"]
    for shape in (schemas.Problem, schemas.Inputs, MaximisationRequest, OipRequest):
        described = shape.model_json_schema(ref_template="#/components/schemas/{model}")
        named |= described.pop("$defs", {})
        named[shape.__name__] = described
    for unused in ("HTTPValidationError", "ValidationError"):
        named.pop(unused, None)
    for operation in (item for path in found["paths"].values() for item in path.values()):
        if "HTTPValidationError" in str(operation["responses"].get("422", "")):
            del operation["responses"]["422"]
    mark_deprecated(found, DEPRECATED)
    if settings.api_keys is not None or settings.client_rate:
        mark_guarded(found, keys=settings.api_keys is not None)
    return found


def mark_guarded(document: dict[str, Any], keys: bool) -> None:
    """What a gate adds to every operation behind it: limits, and with ``keys`` a key."""
    added = _problems(401, 429) if keys else _problems(429)
    if keys:
        parts = document["components"]
        parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        if is_open(path):
            continue
        for operation in operations.values():
            named = {str(status): problem for status, problem in added.items()}
            operation["responses"] = {**named, **operation["responses"]}
            if keys:
                operation["security"] = [{"key": []}]


def mark_deprecated(document: dict[str, Any], table: Table) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = f"{method.upper()} {path}"
            if name in table:
                operation["deprecated"] = True
            for parameter in operation.get("parameters", []):
                if f"{name}?{parameter['name']}" in table:
                    parameter["deprecated"] = True
