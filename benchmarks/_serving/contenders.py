"""Who is measured: how each is started, where it listens and what it is sent."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks._serving import bodies
from benchmarks._serving.card import Card

HERE = Path(__file__).parent
SERVERS = HERE / "servers"
ROOT = HERE.parents[1]

ENGINES = {"torch": "torch>=2.11,<2.14", "onnx": "onnxruntime>=1.24,<2"}
"""What peers run the network in: as their guides have it, or in what this service runs it in."""

PATIENT_RAY = {"RAY_raylet_start_wait_time_s": "120", "RAY_USAGE_STATS_ENABLED": "0"}
"""All of it starts on one core here."""

Command = Callable[[Path, int, Path], Sequence[str]]
"""(its environment's bin folder, port, an empty folder of its own) -> what is run"""


@dataclass(frozen=True)
class Contender:
    """``path`` takes one image, ``many`` a batch, ``tensor`` OIP's binary tensors. ``batch``: most
    requests that it runs together."""

    name: str
    command: Command
    path: str
    form: bodies.Form = bodies.raw
    many: str | None = None
    many_as: bodies.Form | None = None
    tensor: str | None = None
    requirements: Sequence[str] = ()
    batch: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    cached: str = ""
    """Under which name its environment is kept."""

    @property
    def many_form(self) -> bodies.Form:
        return self.many_as or self.form

    @property
    def family(self) -> str:
        """Of its variants the best one counts."""
        return self.name.partition(",")[0]


def ours(card: Card, workers: int = 1) -> Contender:
    def command(_: Path, port: int, folder: Path) -> list[str]:
        return [
            sys.executable, "-m", "service.cli", "--port", str(port), "--no-worker",
            "--store", str(card.store), "--state", str(folder), "--device", "cpu",
            "--log-level", "warning", "--workers", str(workers),
        ]  # fmt: skip

    path = "/v1/models/card/classify"
    return Contender("glyphscope", command, path, tensor="/v2/models/card/infer")


def limit(name: str, script: str, **environment: str) -> Contender:
    def command(*_: object) -> list[str]:
        return [sys.executable, str(SERVERS / script)]

    return Contender(name, command, "/", environment=environment)


def limits(card: Card) -> list[Contender]:
    return [
        limit("limit-ort", "limit_ort.py"),
        limit("limit-torch", "limit_torch.py", BENCH_WEIGHTS=str(card.weights)),
    ]


def _script(name: str) -> Command:
    return lambda binaries, port, folder: [str(binaries / "python"), str(SERVERS / name)]


def _bentoml(binaries: Path, port: int, folder: Path) -> list[str]:
    return [
        str(binaries / "bentoml"), "serve", "bentoml_server:Card", "--port", str(port),
        "--host", "127.0.0.1", "--working-dir", str(SERVERS),
    ]  # fmt: skip


def _mlserver(batch: int) -> Command:
    def command(binaries: Path, port: int, folder: Path) -> list[str]:
        server = {
            "host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2,
            "parallel_workers": 0, "metrics_endpoint": None, "debug": False,
        }  # fmt: skip
        model: dict[str, object] = {"name": "card", "implementation": "mlserver_runtime.Card"}
        if batch > 1:
            model |= {"max_batch_size": batch, "max_batch_time": 0.001}
        (folder / "settings.json").write_text(json.dumps(server))
        (folder / "model-settings.json").write_text(json.dumps(model))
        return [str(binaries / "mlserver"), "start", str(folder)]

    return command


def peers(card: Card, engine: str) -> list[Contender]:
    common = (ENGINES[engine], "numpy", "pillow")
    weights = {"BENCH_WEIGHTS": str(card.weights)} if engine == "torch" else {}
    return [
        replace(
            each,
            requirements=(*each.requirements, *common),
            environment={**each.environment, **weights},
            cached=f"{each.family}-{engine}",
        )
        for each in _peers()
    ]


def _peers() -> list[Contender]:
    """Without what runs the network."""
    upload = bodies.upload("file")
    found = [
        Contender("fastapi", _script("fastapi_server.py"), "/predict", upload,
                  requirements=("fastapi[standard]",)),
    ]  # fmt: skip
    for batch, label in ((32, "batch 32"), (1, "no batching")):
        found += [
            Contender(f"mosec, {label}", _script("mosec_server.py"), "/inference",
                      requirements=("mosec",), batch=batch),
            Contender(f"litserve, {label}", _script("litserve_server.py"), "/predict", upload,
                      requirements=("litserve", "python-multipart"), batch=batch),
            Contender(f"ray, {label}", _script("ray_server.py"), "/",
                      requirements=("ray[serve]",), batch=batch, environment=PATIENT_RAY),
            Contender(f"mlserver, {label}", _mlserver(batch), "/v2/models/card/infer", bodies.oip,
                      requirements=("mlserver",), batch=batch),
        ]  # fmt: skip
    found += [
        Contender("bentoml, adaptive", _bentoml, "/many", bodies.upload("files"), "/one",
                  upload, requirements=("bentoml",), batch=32),
        Contender("bentoml, no batching", _bentoml, "/one", upload,
                  requirements=("bentoml",), batch=1),
    ]  # fmt: skip
    return found
