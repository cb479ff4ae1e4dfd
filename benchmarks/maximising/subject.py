"""A shipped model with all that its pictures are held against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safetensors import torch as tensors

from benchmarks.maximising.natural import Natural, natural
from benchmarks.maximising.referee import Referee, referee
from glyphscope.checkpoint import Checkpoint
from glyphscope.checkpoint import load as load_checkpoint
from glyphscope.store import Store
from training import data

STORE = Path(__file__).parents[2] / "checkpoints"
DATASETS = {"mnist": "mnist", "fashion-mnist": "fashion-mnist", "emnist": "emnist-subset"}
LOGITS = "logits"


@dataclass(frozen=True)
class Subject:
    """``root``: the data sets. ``cache``: where referees are kept."""

    model: str
    root: Path
    cache: Path

    @cached_property
    def folder(self) -> Path:
        store = Store(STORE)
        return store.path(store.resolve(f"{self.model}@production"))

    @cached_property
    def checkpoint(self) -> Checkpoint:
        return load_checkpoint(self.folder)

    @cached_property
    def referee(self) -> Referee:
        return referee(DATASETS[self.model], self.root, self.cache)

    @cached_property
    def natural(self) -> dict[str, Natural]:
        digest = self.checkpoint.manifest.digest[:16]
        path = self.cache / f"natural-{self.model}-{digest}.safetensors"
        if not path.exists():
            test = data.load(DATASETS[self.model], "test", self.root).images
            found = natural(self.checkpoint, test, [LOGITS, *self.convolutions])
            path.parent.mkdir(parents=True, exist_ok=True)
            flat = {
                f"{layer}/{key}": v for layer, one in found.items() for key, v in vars(one).items()
            }
            part = path.with_suffix(".part")
            tensors.save_file(flat, part)
            part.rename(path)
        kept = tensors.load_file(path)
        return {
            layer: Natural(**{key: kept[f"{layer}/{key}"] for key in Natural.__dataclass_fields__})
            for layer in (LOGITS, *self.convolutions)
        }

    @property
    def convolutions(self) -> list[str]:
        return [info.name for info in self.checkpoint.network.layers if info.kind == "conv"]

    @property
    def living(self) -> Mapping[str, Sequence[int]]:
        """The units of each layer that some test image drives above the median."""
        return {
            layer: [unit for unit in range(len(known.median)) if not known.dead(unit)]
            for layer, known in self.natural.items()
        }
