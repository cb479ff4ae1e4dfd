"""Counters as Prometheus's own parser reads them."""

import base64

import httpx
from prometheus_client.parser import text_string_to_metric_families

from service.document.examples import SEVEN_PNG
from tests.service.running import Start, plain

SEVEN = base64.b64decode(SEVEN_PNG)


def value(text: str, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


async def test_requests_are_counted_by_route_model_and_status(client: httpx.AsyncClient) -> None:
    png = {"Content-Type": "image/png"}
    for _ in range(3):
        await client.post("/v1/models/mnist@production/classify", content=SEVEN, headers=png)
    await client.post("/v1/models/mnist/classify", content=b"no picture", headers=png)
    await client.post("/v1/models/nobody/classify", content=SEVEN, headers=png)
    await client.get("/health/live")
    await client.head("/health/live")
    await client.get("/nowhere/at/all")
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.text
    route = "/v1/models/{model}/classify"
    assert value(text, "glyphscope_requests_total", route=route, model="mnist", status="200") == 3
    assert value(text, "glyphscope_requests_total", route=route, model="mnist", status="422") == 1
    assert value(text, "glyphscope_requests_total", route=route, model="", status="404") == 1
    assert value(text, "glyphscope_requests_total", route="/health/live", method="HEAD") == 1
    assert value(text, "glyphscope_requests_total", route="none", status="404") == 1
    assert value(text, "glyphscope_request_seconds_count", route=route, model="mnist") == 4
    assert value(text, "glyphscope_batch_images_sum", model="mnist") >= 3
    assert "nobody" not in text


async def test_the_state_of_processes_jobs_and_models(client: httpx.AsyncClient) -> None:
    created = await client.post(
        "/v1/models/mnist/maximisations", json={"layer": "logits", "units": [3], "steps": 16}
    )
    assert created.status_code == 201
    text = (await client.get("/metrics")).text
    assert value(text, "glyphscope_jobs_open") == 1
    assert value(text, "glyphscope_model_version", model="mnist", alias="production") == 1
    assert value(text, "glyphscope_process_ready") == 1
    assert value(text, "glyphscope_model_broken_versions") == 0


def test_processes_add_up_and_the_short_way_counts(start: Start) -> None:
    """Each request over a connection of its own, so that both processes get some."""
    with start("--workers", "2", "--no-worker", state="metrics") as server:
        for _ in range(20):
            with plain(server.url) as client:
                client.post(
                    "/v1/models/mnist/classify",
                    content=SEVEN,
                    headers={"Content-Type": "image/png"},
                ).raise_for_status()
        text = server.client.get("/metrics").text
        assert server.stop() == 0
    labels = {"route": "/v1/models/{model}/classify", "model": "mnist", "status": "200"}
    assert value(text, "glyphscope_requests_total", **labels) == 20
    assert value(text, "glyphscope_batch_images_sum", model="mnist") >= 20
    assert value(text, "glyphscope_process_ready") == 2
