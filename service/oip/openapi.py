"""What the OpenAPI document says of the routes under /v2."""

from typing import Any

from service.document.examples import SEVEN_PNG
from service.document.schemas import Shape
from service.oip import schemas
from service.oip.inputs import INPUTS
from service.oip.message import HEADER

Responses = dict[int | str, dict[str, Any]]

_ERRORS: dict[int, tuple[str, str]] = {
    400: ("The body is not JSON", "the request is not JSON: unexpected end of data"),
    401: (
        "The admin key is missing or wrong",
        "an administrator's call needs the admin key: X-Admin-Key or Authorization: Bearer",
    ),
    404: (
        "A model or version that is not known",
        "Request for unknown model: 'mnits' is not found; known: emnist, fashion-mnist, mnist",
    ),
    409: (
        "Not possible in this state",
        "mnist@2: model.safetensors is not the file that was published; nothing was changed",
    ),
    413: ("Too large", "5000 images in one request; 1024 are allowed"),
    415: (
        "A content type or coding that is not taken",
        "content type 'text/plain' is not taken here; send application/json, "
        "application/octet-stream",
    ),
    422: (
        "The input cannot be used",
        "input 'input' must have the shape [-1, 1, 28, 28], not [1, 784]",
    ),
    503: (
        "Too much waits (with Retry-After), or the version is broken or unloaded",
        "mnist@2: model.safetensors is not the file that was published",
    ),
    504: (
        "The request's own timeout has passed",
        "not answered within the 2000 microseconds that the request gave itself",
    ),
}


def errors(*statuses: int) -> Responses:
    found: Responses = {}
    for status in statuses:
        description, text = _ERRORS[status]
        content = {"application/json": {"example": {"error": text}}}
        found[status] = {"description": description, "model": schemas.OipError, "content": content}
    return found


def _json(model: type[Shape], description: str, example: Any) -> dict[str, Any]:
    content = {"application/json": {"example": example}}
    return {"description": description, "model": model, "content": content}


EXAMPLE: dict[str, Any] = {
    "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1, 1], "data": [SEVEN_PNG]}],
    "outputs": [{"name": "label"}, {"name": "probabilities", "parameters": {"classification": 3}}],
}

_ANSWER = {
    "model_name": "mnist",
    "model_version": "1",
    "outputs": [
        {"name": "label", "datatype": "BYTES", "shape": [1, 1], "data": ["7"]},
        {
            "name": "probabilities",
            "datatype": "BYTES",
            "shape": [1, 3],
            "data": ["0.999990:7:7", "0.000005:9:9", "0.000001:1:1"],
        },
    ],
}

_NOT_READY: Responses = {
    503: _json(
        schemas.OipError,
        "Not now, for this reason",
        {"error": "the process is stopping", "ready": False},
    )
}

SERVER: Responses = {
    200: _json(
        schemas.OipServer,
        "Name, version and extensions",
        {"name": "glyphscope", "version": "0.1.0", "extensions": ["binary_tensor_data"]},
    )
}
LIVE: Responses = {200: _json(schemas.OipLive, "It is", {"live": True})}
READY: Responses = {200: _json(schemas.OipReady, "They can", {"ready": True}), **_NOT_READY}
MODEL_READY: Responses = {
    200: _json(schemas.OipReady, "It is", {"name": "mnist", "ready": True}),
    **errors(404, 503),
}
MODEL: Responses = {
    200: _json(
        schemas.OipModel,
        "Its tensors",
        {
            "name": "mnist",
            "versions": ["1"],
            "platform": "pytorch_safetensors",
            "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 1, 28, 28]}],
            "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 10]}],
        },
    ),
    **errors(404, 503),
}
CONFIG: Responses = {
    200: {"description": "As Triton has it", "model": dict[str, Any]},
    **errors(404, 503),
}
STATS: Responses = {
    200: _json(schemas.OipStatistics, "As Triton has them", {"model_stats": []}),
}
MODEL_STATS: Responses = {**STATS, **errors(404, 503)}
INDEX: Responses = {
    200: {
        "description": "In order of names and versions",
        "model": list[schemas.OipIndexed],
        "content": {
            "application/json": {
                "example": [{"name": "mnist", "version": "1", "state": "READY", "reason": ""}]
            }
        },
    },
    **errors(400, 413, 415, 422),
}
INDEX_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
                "examples": {"ready": {"value": {"ready": True}}},
            }
        }
    }
}
REPOSITORY: Responses = {
    200: {"description": "What is so now", "model": dict[str, Any]},
    **errors(400, 401, 404, 409, 413, 415, 422),
}
INFER: Responses = {
    200: {
        **_json(schemas.OipResponse, "JSON, with the bytes of binary outputs behind it", _ANSWER),
        "headers": {
            HEADER: {"schema": {"type": "integer"}, "description": "bytes of JSON, if binary"}
        },
    },
    **errors(400, 404, 413, 415, 422, 503, 504),
}
INFER_BODY: dict[str, Any] = {
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "schema": {"type": "integer"},
            "description": "bytes of JSON before the binary data; 0: the body is one picture",
        }
    ],
    "requestBody": {
        "required": True,
        "description": "; ".join(f"`{name}`: {each.note}" for name, each in INPUTS.items()),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/OipRequest"},
                "examples": {"picture": {"value": EXAMPLE}},
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
}

_VERSION = {
    "name": "version",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "a number or an alias",
    "examples": {text: {"value": text} for text in ("1", "production")},
}


def versioned(extra: dict[str, Any]) -> dict[str, Any]:
    """The same of a route that also names the version, which routes read off the path."""
    return {**extra, "parameters": [_VERSION, *extra.get("parameters", [])]}
