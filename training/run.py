"""A run: one training's folder, each file written by one rename, so a kill leaves no half file.

RUNS/mnist-20261121-101500/
  recipe.json           the whole recipe as it was run
  machine.json          the device, precision and versions that it ran with
  state.pt              all that --resume needs, as of the last finished epoch
  model.safetensors     the weights of the best epoch on validation;  last.safetensors of the last
  snapshots/            with fit.snapshots: epoch-0000.safetensors (before the first), ...
  history.json          a record an epoch
  log.jsonl             what happened, a line each, as it happens
  metrics.json          after evaluate: calibration (validation) and metrics (test)
  curves.png, confusion.png
"""

import io
import json
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as tensors
from torch import Tensor

from glyphscope.errors import Conflict, InvalidRecipe, NotFound
from training.recipe import Recipe, parse

BEST, LAST, STATE = "model.safetensors", "last.safetensors", "state.pt"


@dataclass(frozen=True)
class Epoch:
    """``seconds`` is the time of the training loop alone, without validation."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float


class Run:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, runs: Path, recipe: Recipe) -> "Run":
        """A new folder, named by recipe and time; a number is added where it is taken."""
        stamp = f"{recipe.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        for attempt in range(1000):
            folder = runs / (stamp if attempt == 0 else f"{stamp}-{attempt}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            run = cls(folder)
            run.write_json("recipe.json", recipe.model_dump(mode="json"))
            return run
        raise InvalidRecipe(f"{runs} holds a thousand runs named {stamp}")

    @classmethod
    def open(cls, folder: Path) -> "Run":
        if not (folder / "recipe.json").is_file():
            raise NotFound("run", folder, [f"a folder with a recipe.json, such as {folder}/NAME"])
        return cls(folder)

    @property
    def recipe(self) -> Recipe:
        return parse(self.read_json("recipe.json"))

    @property
    def device(self) -> str:
        return str(self.machine()["device"])

    def machine(self) -> dict[str, Any]:
        """Empty before the training begins."""
        return (
            dict(self.read_json("machine.json")) if (self.folder / "machine.json").exists() else {}
        )

    def history(self) -> list[Epoch]:
        if not (self.folder / "history.json").exists():
            return []
        return [Epoch(**record) for record in self.read_json("history.json")]

    def record(self, history: list[Epoch]) -> None:
        self.write_json("history.json", [asdict(epoch) for epoch in history])

    def log(self, event: str, **values: Any) -> None:
        """Add a line to ``log.jsonl``: the time, what happened, and its figures."""
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
        path = self.folder / "log.jsonl"
        with _named(path), path.open("a") as log:
            log.write(json.dumps(line | values) + "\n")

    def save_weights(self, state: dict[str, Tensor], name: str = BEST) -> None:
        contiguous = {k: v.detach().cpu().contiguous() for k, v in state.items()}
        self._replace(name, tensors.save(contiguous))

    def weights(self, name: str = BEST) -> dict[str, Tensor]:
        path = self.folder / name
        if not path.exists():
            raise NotFound("trained weights in run", self.folder, [])
        return tensors.load(path.read_bytes())

    def snapshots(self) -> dict[int, dict[str, Tensor]]:
        """Weights by epoch, 0 being those before the first; empty without ``fit.snapshots``."""
        names = sorted(path.name for path in (self.folder / "snapshots").glob("epoch-*"))
        return {int(name[6:-12]): self.weights(f"snapshots/{name}") for name in names}

    def save_snapshot(self, epoch: int, state: dict[str, Tensor]) -> None:
        (self.folder / "snapshots").mkdir(exist_ok=True)
        self.save_weights(state, f"snapshots/epoch-{epoch:04}.safetensors")

    def save_state(self, state: dict[str, Any]) -> None:
        # By way of memory: torch.save to a full disk raises a RuntimeError that names no reason.
        data = io.BytesIO()
        torch.save(state, data)
        self._replace(STATE, data.getvalue())

    def state(self) -> dict[str, Any] | None:
        """What ``save_state`` was given, None before the training begins."""
        path = self.folder / STATE
        if not path.exists():
            if self.history():
                raise Conflict(f"{path} is missing, so this run cannot go on; start a new one")
            return None
        try:
            # weights_only: tensors and plain values, nobody's code.
            return dict(torch.load(path, weights_only=True))
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            first = str(error).splitlines()[0]
            raise Conflict(f"{path} is damaged, so this run cannot go on: {first}") from None

    def read_json(self, name: str) -> Any:
        path = self.folder / name
        try:
            return json.loads(path.read_bytes())
        except ValueError as error:
            raise InvalidRecipe(f"{path} is no JSON: {error}") from None

    def write_json(self, name: str, value: Any) -> None:
        self._replace(name, (json.dumps(value, indent=1) + "\n").encode())

    def _replace(self, name: str, data: bytes) -> None:
        path = self.folder / name
        part = path.with_name(f"{path.name}.part")
        try:
            with _named(path):
                part.write_bytes(data)
                os.replace(part, path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


NOWHERE = Run(Path(os.devnull) / "run")
"""No such folder can be made: a training of it can be planned and cannot be written."""


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """A write that fails, for one on a full disk, knows no file's name: here it learns it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
