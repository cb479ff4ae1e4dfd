"""The document is true: its examples are sent, and its shapes hold every answer."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from service.app import create_app
from service.document import examples, schemas
from service.settings import Settings

Document = dict[str, Any]

OIP = [("get", ""), ("get", "/ready"), ("get", "/config"), ("get", "/stats"), ("post", "/infer")]
"""Of a model, and of one of its versions."""


@pytest.fixture
async def document(client: httpx.AsyncClient) -> Document:
    answer: Document = (await client.get("/openapi.json")).json()
    return answer


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


async def test_every_route_is_told_of(document: Document) -> None:
    found = {(method, path) for path, method, _ in operations(document)}
    assert found == {
        ("get", "/health/live"),
        ("get", "/health/ready"),
        ("get", "/v1/status"),
        ("get", "/v1/models"),
        ("get", "/v1/models/{model}"),
        ("get", "/v1/models/{model}/layers"),
        ("get", "/v1/models/{model}/layers/{layer}/filters.png"),
        ("get", "/v1/models/{model}/layers/{layer}/units"),
        ("get", "/v1/models/{model}/images/{index}.png"),
        ("get", "/v1/models/{model}/embedding"),
        ("post", "/v1/models/{model}/embedding"),
        ("get", "/v1/models/{model}/confusions"),
        ("get", "/v1/models/{model}/confusions/{truth}/{answer}"),
        ("get", "/v1/models/{model}/attributions"),
        ("post", "/v1/models/{model}/attributions"),
        ("get", "/v1/models/{model}/layers/{layer}/units/{unit}/examples"),
        ("get", "/v1/models/{model}/layers/{layer}/units/{unit}/examples.png"),
        ("get", "/v1/models/{model}/layers/{layer}/units/{unit}/evolution"),
        ("post", "/v1/models/{model}/adversarials"),
        ("post", "/v1/models/{model}/inversions"),
        ("get", "/v1/models/{model}/comparisons/{other}"),
        ("post", "/v1/models/{model}/classify"),
        ("post", "/v1/models/{model}/activations"),
        ("post", "/v1/models/{model}/maximisations"),
        ("get", "/v1/presets"),
        ("get", "/v1/maximisations/{job_id}"),
        ("delete", "/v1/maximisations/{job_id}"),
        ("get", "/v1/maximisations/{job_id}/units/{unit}.png"),
        ("get", "/v1/maximisations/{job_id}/units/{unit}/film.png"),
        ("get", "/v1/maximisations/{job_id}/grid.png"),
        ("get", "/v1/maximisations/{job_id}/animation.webp"),
        ("get", "/v1/maximisations/{job_id}/events"),
        ("get", "/v2"),
        ("get", "/v2/health/live"),
        ("get", "/v2/health/ready"),
        ("get", "/v2/models/stats"),
        ("post", "/v2/repository/index"),
        *((method, f"/v2/models/{{model}}{rest}") for method, rest in OIP),
        *((method, f"/v2/models/{{model}}/versions/{{version}}{rest}") for method, rest in OIP),
    }


async def test_every_reference_leads_somewhere(document: Document) -> None:
    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (value for key, value in part.items() if key == "$ref")
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    found = set(references(document))
    assert found
    for reference in found:
        name = reference.removeprefix("#/components/schemas/")
        assert name in document["components"]["schemas"], reference


async def test_every_example_of_a_request_is_answered(
    client: httpx.AsyncClient, document: Document
) -> None:
    sent = 0
    for path, method, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        for example in content.get("application/json", {}).get("examples", {}).values():
            url = path.replace("{model}", "mnist").replace("{version}", "1")
            # The rest have defaults; fewer steps are enough to see that a request is understood.
            query: dict[str, Any] = (
                {"layer": "act1", "steps": 4} if path.endswith("/inversions") else {}
            )
            answer = await client.request(method, url, json=example["value"], params=query)
            assert answer.status_code in (200, 201), (path, answer.text)
            sent += 1
    assert sent == 6 * len(examples.INPUTS) + len(examples.MAXIMISATIONS) + 3


async def test_the_picture_of_the_examples_is_a_digit(client: httpx.AsyncClient) -> None:
    for kind in ("image/png", "image/webp"):  # what it is counts, not what it is called
        answer = await client.post(
            "/v1/models/mnist/classify",
            content=base64.b64decode(examples.SEVEN_PNG),
            headers={"Content-Type": kind},
        )
        assert answer.status_code == 200


ANSWERS: dict[str, type[BaseModel]] = {
    "readiness": schemas.Readiness,
    "models": schemas.Models,
    "layers": schemas.Layers,
    "predictions": schemas.Predictions,
    "activations": schemas.Activations,
    "methods": schemas.Methods,
    "attributions": schemas.Attributions,
    "unit_examples": schemas.Examples,
    "evolution": schemas.Evolution,
    "adversarials": schemas.Adversarials,
    "inversions": schemas.Inversions,
    "comparison": schemas.Comparison,
    "units": schemas.Units,
    "embedding": schemas.Embedding,
    "places": schemas.Places,
    "confusions": schemas.Confusions,
    "confusion": schemas.Confusion,
    "queued": schemas.Maximisation,
    "done": schemas.Maximisation,
}


def test_examples_of_answers_have_their_shape() -> None:
    assert examples.ANSWERS.keys() == ANSWERS.keys()
    for name, shape in ANSWERS.items():
        shape.model_validate(examples.ANSWERS[name])


async def test_examples_of_errors_have_their_shape(document: Document) -> None:
    found = 0
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            problem = response.get("content", {}).get("application/problem+json")
            if problem:
                assert schemas.Problem.model_validate(problem["example"]).status == int(status)
                found += 1
    assert found > 20


@pytest.fixture
def whole(settings: Settings) -> Document:
    """With an administrator's routes, which are there where a key is set."""
    return create_app(settings.model_copy(update={"admin_key": "a key that is set"})).openapi()


def test_every_error_has_an_example(whole: Document) -> None:
    for path, method, operation in operations(whole):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                [media_type] = response["content"].values()
                assert media_type["example"], (method, path, status)


def test_no_error_is_left_out(whole: Document) -> None:
    """What follows from a route's path, parameters and body alone."""
    for path, method, operation in operations(whole):
        told = operation["responses"].keys()
        names = {"{model}", "{name}"} & set(path.split("/"))
        expected = {"404"} if names else set()
        if "requestBody" in operation:
            expected |= {"400", "413", "415", "422"}
        queries = [each for each in operation.get("parameters", []) if each["in"] == "query"]
        if any(set(query["schema"]) - {"type", "title", "description"} for query in queries):
            expected |= {"422"}
        assert expected <= told, (method, path, expected - told)


async def test_errors_happen_as_documented(
    client: httpx.AsyncClient, document: Document, publish: Callable[..., Any]
) -> None:
    """Every status that one of the calls here gives is in the document."""
    publish("emnist")
    classify = document["paths"]["/v1/models/{model}/classify"]["post"]["responses"]
    calls = [
        ("mnist", "application/json", b"{"),
        ("none", "application/json", b"{}"),
        ("mnist", "image/png", bytes(1_000_001)),
        ("mnist", "text/plain", b""),
        ("mnist", "image/png", b""),
    ]
    seen = set()
    for model, kind, body in calls:
        answer = await client.post(
            f"/v1/models/{model}/classify", content=body, headers={"Content-Type": kind}
        )
        seen.add(str(answer.status_code))
    assert seen == {"400", "404", "413", "415", "422"}
    assert seen < classify.keys()
