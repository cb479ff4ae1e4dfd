"""A run: one training's folder, each file written by one rename, so a kill leaves no half file.

RUNS/mnist-20261121-101500/
  recipe.json           the whole recipe as it was run
  machine.json          the device that it ran on
  state.pt              the last finished epoch, for --resume
  model.safetensors     the weights of the best epoch on validation
  history.json          a record an epoch;  log.jsonl the same, a line each, as it happens
  metrics.json          after evaluate: calibration (validation) and metrics (test)
  curves.png, confusion.png
"""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as tensors
from torch import Tensor

from glyphscope.errors import InvalidRecipe, NotFound
from training.recipe import Recipe, parse


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

    @classmethod
    def unfinished(cls, runs: Path, recipe: Recipe) -> "Run":
        """The newest run of this very recipe that has epochs left (more may be asked for)."""
        found = sorted(runs.glob(f"{recipe.name}-*/recipe.json"), reverse=True)
        for path in found:
            run = cls(path.parent)
            if _same_but_epochs(run.recipe, recipe) and len(run.history()) < recipe.fit.epochs:
                run.write_json("recipe.json", recipe.model_dump(mode="json"))
                return run
        raise NotFound("unfinished run of recipe", recipe.name, [p.parent.name for p in found])

    @property
    def recipe(self) -> Recipe:
        return parse(self.read_json("recipe.json"))

    @property
    def device(self) -> str:
        return str(self.read_json("machine.json")["device"])

    def history(self) -> list[Epoch]:
        path = self.folder / "history.json"
        return (
            [Epoch(**record) for record in json.loads(path.read_bytes())] if path.exists() else []
        )

    def record(self, history: list[Epoch]) -> None:
        self.write_json("history.json", [asdict(epoch) for epoch in history])
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(asdict(history[-1])) + "\n")

    def save_weights(self, state: dict[str, Tensor]) -> None:
        contiguous = {k: v.detach().cpu().contiguous() for k, v in state.items()}
        self._replace("model.safetensors", tensors.save(contiguous))

    def weights(self) -> dict[str, Tensor]:
        path = self.folder / "model.safetensors"
        if not path.exists():
            raise NotFound("trained weights in run", self.folder, [])
        return tensors.load(path.read_bytes())

    def save_state(self, state: dict[str, Any]) -> None:
        part = self.folder / "state.pt.part"
        torch.save(state, part)
        os.replace(part, self.folder / "state.pt")

    def state(self) -> dict[str, Any] | None:
        path = self.folder / "state.pt"
        # weights_only: tensors and plain values, nobody's code.
        return torch.load(path, weights_only=True) if path.exists() else None

    def read_json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_bytes())

    def write_json(self, name: str, value: Any) -> None:
        self._replace(name, (json.dumps(value, indent=1) + "\n").encode())

    def _replace(self, name: str, data: bytes) -> None:
        part = self.folder / f"{name}.part"
        part.write_bytes(data)
        os.replace(part, self.folder / name)


def _same_but_epochs(a: Recipe, b: Recipe) -> bool:
    def dump(recipe: Recipe) -> dict[str, Any]:
        return recipe.model_dump(exclude={"fit": {"epochs"}})

    return dump(a) == dump(b)
