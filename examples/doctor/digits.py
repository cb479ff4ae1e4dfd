"""600 training and 200 test images of MNIST, ready at once; and how the scripts are started."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from training import doctor

SAMPLE = Path(__file__).parents[2] / "tests/data/mnist-sample.npz"

Loader = DataLoader[tuple[Tensor, Tensor]]
Train = Callable[[int], doctor.Patient]


def pixels(part: str = "train") -> tuple[Tensor, Tensor]:
    """(N, 1, 28, 28) floats in 0..255, and the labels."""
    with np.load(SAMPLE) as sample:
        images, labels = sample[f"{part}_images"], sample[f"{part}_labels"]
    return torch.from_numpy(images)[:, None].float(), torch.from_numpy(labels).long()


def digits(part: str = "train") -> tuple[Tensor, Tensor]:
    """The same, normalised by MNIST's mean and standard deviation."""
    images, labels = pixels(part)
    return (images / 255 - 0.1307) / 0.3081, labels


def loader(images: Tensor, labels: Tensor, batch_size: int = 32, shuffle: bool = True) -> Loader:
    """``DataLoader(data, batch_size, shuffle)``, and each batch is picked out in one go."""
    data = TensorDataset(images, labels)
    order = RandomSampler(data) if shuffle else SequentialSampler(data)
    batches = BatchSampler(order, batch_size, drop_last=False)
    return DataLoader(data, batch_size=None, sampler=batches)  # type: ignore[arg-type]


def main(train: Train) -> None:
    """Train, then say what the doctor found; on the console, as a page, for TensorBoard."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", metavar="FOLDER", help="write a page with pictures there")
    parser.add_argument("--tensorboard", metavar="FOLDER", help="write event files there")
    given = parser.parse_args()
    patient = train(given.seed)
    patient.report(given.report)
    if given.tensorboard:
        patient.tensorboard(given.tensorboard)
