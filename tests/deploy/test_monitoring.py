"""Alerts and dashboard ask for what the service exposes, and for nothing else."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.app import create_app
from service.settings import Settings
from tests.conftest import require

DEPLOY = Path(__file__).parents[2] / "deploy"


def expressions() -> list[tuple[str, str]]:
    alerts = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    targets = [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]
    return [(rule["alert"], rule["expr"]) for rule in rules] + targets


@pytest.fixture
async def exposed(tmp_path: Path) -> set[str]:
    """Every name that a sample of /metrics has, once something was classified."""
    app = create_app(Settings(state=tmp_path, device="cpu"))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        answer = await client.post(
            "/v1/models/mnist/classify", json={"inputs": [{"strokes": [[[0, 0], [1, 9]]]}]}
        )
        assert answer.status_code == 200
        text = (await client.get("/metrics")).text
    families = text_string_to_metric_families(text)
    return {sample.name for family in families for sample in family.samples}


async def test_every_name_in_an_expression_is_exposed(exposed: set[str]) -> None:
    asked = {
        (title, name)
        for title, expression in expressions()
        for name in re.findall(r"\bglyphscope_\w+", expression)
    }
    assert len(asked) > 15
    assert {(title, name) for title, name in asked if name not in exposed} == set()


def test_every_alert_says_what_is_wrong_and_how_bad_it_is() -> None:
    alerts: dict[str, Any] = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
    for rule in alerts["groups"][0]["rules"]:
        assert rule["annotations"]["summary"], rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["for"], rule["alert"]


def test_the_scraper_reads_the_alerts() -> None:
    found = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    assert all((DEPLOY / name).is_file() for name in found["rule_files"])


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        require("prometheus", "promtool, which comes with Prometheus, is not installed")
    command = [promtool, "test", "rules", str(Path(__file__).parent / "alerts.test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
