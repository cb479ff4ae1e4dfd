"""The real files against what is published of them: counts, means, deviations, no copies."""

import os
from pathlib import Path

import pytest
import torch

from tests.conftest import require
from training import data
from training.data_report import SplitFacts, examine

pytestmark = pytest.mark.data

ROOT = Path(os.environ.get("GLYPHSCOPE_DATA", "/nowhere"))

MNIST_TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
"""Of the 50,000 exact training images."""


def need(*names: str) -> None:
    absent = [name for name in names if not list(ROOT.glob(name))]
    if absent:
        require("data", f"GLYPHSCOPE_DATA lacks {', '.join(absent)}")


def examined(name: str) -> tuple[SplitFacts, SplitFacts]:
    report = examine(name, ROOT).report
    train, test = report.splits["train"], report.splits["test"]
    assert (train.repeated, test.repeated, report.leaked) == (0, 0, 0)
    assert (train.least, train.most, train.blank) == (0, 255, 0)
    return train, test


def test_mnist() -> None:
    need("MNIST/raw/*images-idx3-ubyte*")
    train, test = examined("mnist")
    assert list(train.counts.values()) == MNIST_TRAIN
    assert list(test.counts.values()) == MNIST_TEST
    assert train.mean == pytest.approx((0.1307,), abs=5e-5)
    assert train.std == pytest.approx((0.3081,), abs=5e-5)


def test_fashion_mnist() -> None:
    need("FashionMNIST/raw/*images-idx3-ubyte*")
    train, test = examined("fashion-mnist")
    assert set(train.counts.values()) == {6000}
    assert set(test.counts.values()) == {1000}
    assert train.mean == pytest.approx((0.2860,), abs=5e-5)
    assert train.std == pytest.approx((0.3530,), abs=5e-5)


def test_emnist_subset() -> None:
    need("EMNIST/raw/emnist-subset-*")
    train, test = examined("emnist-subset")
    assert (train.n, test.n) == (78_374, 18_800)
    assert set(test.counts.values()) == {400}
    assert (train.counts["0"], train.counts["A"], train.counts["f"]) == (2400, 1074, 500)
    assert train.mean == pytest.approx((0.1724,), abs=5e-5)
    assert train.std == pytest.approx((0.3309,), abs=5e-5)


def test_cifar10_lossless() -> None:
    need("CIFAR10/cifar10-subset-lossless.npz")
    train, test = examined("cifar10-lossless")
    assert set(train.counts.values()) == {1000}
    assert (test.n, min(test.counts.values()), max(test.counts.values())) == (1000, 86, 112)
    # A fifth of the set: its figures lie near those of the whole.
    assert train.mean == pytest.approx(CIFAR_MEAN, abs=3e-3)
    assert train.std == pytest.approx(CIFAR_STD, abs=2e-3)


@pytest.mark.slow
def test_cifar10_jpeg() -> None:
    need("CIFAR10/cifar10-full-jpeg.npz", "CIFAR10/cifar10-subset-lossless.npz")
    report = examine("cifar10-jpeg", ROOT).report
    train, test = report.splits["train"], report.splits["test"]
    assert set(train.counts.values()) == {5000}
    assert set(test.counts.values()) == {1000}
    assert train.mean == pytest.approx(CIFAR_MEAN, abs=5e-4)
    # JPEG takes away fine detail, and with it a little of the deviation.
    assert all(0.98 < mine / theirs < 1 for mine, theirs in zip(train.std, CIFAR_STD, strict=True))
    lossy, exact = (data.load(name, "test", ROOT) for name in ("cifar10-jpeg", "cifar10-lossless"))
    assert torch.equal(lossy.labels[:1000], exact.labels)
    error = (lossy.images[:1000].double() - exact.images.double()).square().mean()
    assert 28 < float(10 * torch.log10(255**2 / error)) < 33  # decibels: "about 30 dB"
