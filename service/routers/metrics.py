"""What Prometheus reads."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from service.metrics import CONTENT_TYPE
from service.routers.status import document
from service.runtime import runtime

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

router = APIRouter(include_in_schema=False)

PROCESS = {
    "ready": "1 where the process takes requests.",
    "waiting_images": "Images that wait for a forward pass.",
    "requests": "Requests that are being answered.",
    "body_bytes": "Bytes of their bodies.",
}
"""Of each process now. Others of a process, as counted since it started:"""

PROCESS_TOTALS = {
    "refused_requests": "Requests refused because too much waited.",
    "passed_deadlines": "Requests whose deadline passed.",
    "left_clients": "Requests whose client left before the answer.",
    "unknown_keys": "Requests without a key that is known.",
    "limited_requests": "Requests of clients that ask more often than they may.",
}

JOBS = {
    "open": "Maximisations that are not finished.",
    "workers": "Processes that draw.",
    "cached": "Finished maximisations in the cache.",
    "cache_bytes": "Their size.",
}


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    found = runtime(request)
    state = await document(found)
    body = await asyncio.to_thread(lambda: found.metrics.text(_gauges(state)))
    return Response(body, media_type=CONTENT_TYPE)


def _gauges(state: dict[str, Any]) -> "Iterator[Metric]":
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    for name, text in PROCESS.items():
        gauge = GaugeMetricFamily(f"glyphscope_process_{name}", text, labels=("host", "pid"))
        for each in state["processes"]:
            gauge.add_metric([each["host"], str(each["pid"])], float(each[name]))
        yield gauge
    for name, text in PROCESS_TOTALS.items():
        total = CounterMetricFamily(f"glyphscope_process_{name}", text, labels=("host", "pid"))
        for each in state["processes"]:
            total.add_metric([each["host"], str(each["pid"])], float(each[name]))
        yield total
    for name, text in JOBS.items():
        yield GaugeMetricFamily(f"glyphscope_jobs_{name}", text, value=state["jobs"][name])
    yield from _of_models(state["models"])


def _of_models(models: list[dict[str, Any]]) -> "Iterator[Metric]":
    from prometheus_client.metrics_core import GaugeMetricFamily

    serving = GaugeMetricFamily(
        "glyphscope_model_version", "The version that answers.", labels=("model", "alias")
    )
    broken = GaugeMetricFamily(
        "glyphscope_model_broken_versions", "Versions that are refused.", labels=("model",)
    )
    for model in models:
        for alias, version in model["serving"].items():
            serving.add_metric([model["name"], alias], version)
        broken.add_metric([model["name"]], len(model["broken"]))
    yield from (serving, broken)
