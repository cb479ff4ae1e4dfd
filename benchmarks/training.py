"""The training loop against the way tutorials write it: same network, same images, same batches.

Tutorial: a Dataset of PIL images, per-image transforms, a DataLoader, contiguous float32.
Ours: one tensor, augmentation a batch at a time, channels last, bfloat16 where the CPU has it.
Interleaved rounds; prints seconds a 1,000 images and the ratio, median (min to max).
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from glyphscope.networks import build
from training import data, experiment, recipe, vision
from training.data import Split
from training.fit import Trainer
from training.run import Run

IMAGES, BATCH = 2048, 256


class Pictures(Dataset):  # type: ignore[type-arg]
    def __init__(self, split: Split) -> None:
        v2 = vision.module("transforms.v2")
        self.pictures = [Image.fromarray(image[0].numpy()) for image in split.images]
        self.labels = split.labels
        self.transform = v2.Compose(
            [
                v2.RandomAffine(12, translate=(2 / 28, 2 / 28), scale=(0.88, 1.12), shear=10),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize((0.1307,), (0.3081,)),
            ]
        )

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.transform(self.pictures[index]), self.labels[index]


def tutorial(job: Trainer) -> float:
    network = build(job.network_spec)
    optimiser = torch.optim.AdamW(network.parameters())
    loader = DataLoader(Pictures(job.train), BATCH, shuffle=True, drop_last=True)
    began = time.perf_counter()
    for images, labels in loader:
        optimiser.zero_grad()
        functional.cross_entropy(network(images), labels).backward()
        optimiser.step()
    return time.perf_counter() - began


def ours(job: Trainer, folder: Path) -> float:
    job.run = Run.create(folder, job.recipe)
    return next(iter(job.epochs())).seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--runs", type=Path, default=Path("runs/benchmark"))
    given = arguments.parse_args()
    how = recipe.load("mnist", ["fit.epochs=1"])
    run = Run.create(given.runs, how)
    device = torch.device("cpu")
    job = experiment.trainer(run, data.data_root(), device, lambda epoch, step, steps: None)
    job.train = job.train.take(torch.arange(min(IMAGES, len(job.train))))
    job.validation = job.validation.take(torch.arange(500))
    thousands = len(job.train) / 1000
    rounds = [(tutorial(job), ours(job, given.runs)) for _ in range(given.rounds)]
    for name, times in (("tutorial", [a for a, _ in rounds]), ("ours", [b for _, b in rounds])):
        print(f"{name:>8}  {_spread([t / thousands for t in times])} s a 1,000 images")
    print(f"{'ratio':>8}  {_spread([a / b for a, b in rounds])}   n = {given.rounds}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
