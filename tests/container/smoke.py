"""Asked of a running container: does it answer, and is it as locked up as it should be?

Not collected with the other tests: ``run.py --exec`` runs it with $URL, $CONTAINER and $ENGINE set.
"""

import hashlib
import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

UID = 10001
ROOT = Path(__file__).parents[2]
SHIPPED = ("glyphscope", "training", "service", "clients", "checkpoints")
ENGINE = os.environ.get("ENGINE", "podman")
CONTAINER = os.environ["CONTAINER"]


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(base_url=os.environ["URL"], timeout=90, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def model(http: httpx.Client) -> dict[str, Any]:
    """mnist, which ships with the image."""
    found = {model["name"]: model for model in http.get("/v1/models").json()["models"]}
    assert found["mnist"]["production"] is not None
    return dict(found["mnist"])


def test_the_drawing_pad_is_in_the_image(http: httpx.Client) -> None:
    page = http.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")


def test_it_reads_a_drawn_one(http: httpx.Client, model: dict[str, Any]) -> None:
    paper = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(paper).line([(104, 30), (96, 170)], fill=0, width=16)
    answer = http.post(
        f"/v1/models/{model['name']}/classify",
        content=png(paper),
        headers={"content-type": "image/png"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["label"] == "1"


def test_its_worker_draws_a_unit(http: httpx.Client, model: dict[str, Any]) -> None:
    layers = http.get(f"/v1/models/{model['name']}/layers").json()["layers"]
    layer = next(layer["name"] for layer in layers if layer["spatial"] and layer["maximise"])
    answer = http.post(
        f"/v1/models/{model['name']}/maximisations",
        json={"layer": layer, "units": [0], "steps": 16},
        headers={"prefer": "wait=60"},
    )
    assert answer.status_code in (200, 201), answer.text
    job = answer.json()
    assert job["status"] == "done", job
    picture = http.get(job["results"][0]["image"])
    assert picture.status_code == 200
    pixels = np.asarray(Image.open(io.BytesIO(picture.content)))
    assert pixels.max() > pixels.min()


def test_it_holds_this_checkout() -> None:
    """A builder's cache that misses a change would test the sources of yesterday."""
    here = {
        f"{digest(path)}  {path.relative_to(ROOT)}"
        for folder in SHIPPED
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != ".lock"
    }
    site = inside("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    find = f"cd {site.stdout.strip()} && find {' '.join(SHIPPED)} -type f ! -name '*.pyc'"
    there = inside("sh", "-c", f"{find} -exec sha256sum {{}} +").stdout.splitlines()
    assert set(there) == here


def test_it_runs_as_its_own_user() -> None:
    assert inside("id", "-u").stdout.strip() == str(UID)
    status = inside("cat", "/proc/1/status").stdout
    assert f"\nUid:\t{UID}\t{UID}\t{UID}\t{UID}\n" in status


def test_only_its_state_can_be_written() -> None:
    assert inside("touch", "/opt/glyphscope/mark").returncode != 0
    assert inside("touch", "/etc/mark").returncode != 0
    assert inside("touch", "/var/lib/glyphscope/mark").returncode == 0


def test_its_health_check_passes_and_can_fail() -> None:
    found = engine("inspect", "--format", "{{json .Config.Healthcheck.Test}}", CONTAINER)
    kind, *command = json.loads(found.stdout)
    assert kind == "CMD"
    assert inside(*command).returncode == 0
    assert inside("env", "GLYPHSCOPE_PORT=1", *command).returncode != 0


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def inside(*command: str) -> subprocess.CompletedProcess[str]:
    return engine("exec", CONTAINER, *command)


def engine(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ENGINE, *command], capture_output=True, text=True, check=False)
