"""Healthy runs, on which the doctor must stay silent: five plain ones, and many unusual ones.

python examples/doctor/healthy.py cnn --seed 3
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, StepLR

from examples.doctor.digits import digits, loader
from training import doctor

Parameters = list[nn.Parameter]


def mlp(
    *units: int,
    activation: Callable[[], nn.Module] = nn.ReLU,
    norm: bool = False,
    dropout: float = 0.0,
    init: Callable[[torch.Tensor], object] | None = None,
) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in zip((784, *units), units, strict=False):
        layers.append(nn.Linear(before, after))
        layers += [nn.BatchNorm1d(after)] if norm else []
        layers.append(activation())
        layers += [nn.Dropout(dropout)] if dropout else []
    layers.append(nn.Linear((784, *units)[-1], 10))
    for layer in layers:
        if init is not None and isinstance(layer, nn.Linear):
            init(layer.weight)
    return nn.Sequential(*layers)


def cnn(norm: bool = False) -> nn.Sequential:
    def block(before: int, after: int) -> list[nn.Module]:
        middle: list[nn.Module] = [nn.BatchNorm2d(after)] if norm else []
        return [nn.Conv2d(before, after, 3, padding=1), *middle, nn.ReLU(), nn.MaxPool2d(2)]

    head = [nn.Flatten(), nn.Linear(16 * 49, 64), nn.ReLU(), nn.Linear(64, 10)]
    return nn.Sequential(*block(1, 8), *block(8, 16), *head)


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.norm2(self.second(functional.relu(self.norm1(self.first(x)))))
        return functional.relu(x + out)


def residual() -> nn.Sequential:
    stem = [nn.Conv2d(1, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU()]
    body = [nn.MaxPool2d(2), Residual(12), nn.MaxPool2d(2), Residual(12)]
    return nn.Sequential(*stem, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10))


def zero_head() -> nn.Sequential:
    """A last layer of zeros is fine: its units get different gradients."""
    network, last = mlp(128), nn.Linear(128, 10)
    nn.init.zeros_(last.weight)
    network[-1] = last
    return network


def bottleneck() -> nn.Sequential:
    """Depthwise and pointwise convolutions in a row, without an activation on purpose."""
    stem = [nn.Conv2d(1, 12, 3, stride=2, padding=1), nn.ReLU()]
    depthwise = [nn.Conv2d(12, 12, 3, padding=1, groups=12), nn.Conv2d(12, 24, 1), nn.ReLU()]
    return nn.Sequential(*stem, *depthwise, nn.Flatten(), nn.Linear(24 * 196, 10))


def sgd(rate: float, momentum: float = 0.9, decay: float = 0.0) -> Callable[..., Optimizer]:
    return lambda parameters: torch.optim.SGD(parameters, rate, momentum, weight_decay=decay)


def adam(rate: float) -> Callable[..., Optimizer]:
    return lambda parameters: torch.optim.Adam(parameters, rate)


@dataclass(frozen=True)
class Healthy:
    network: Callable[[], nn.Module]
    optimiser: Callable[..., Optimizer]
    epochs: int = 8
    batch_size: int = 32
    smoothing: float = 0.0
    images: int = 600
    schedule: Callable[[Optimizer, int], LRScheduler] | None = None
    clip: float = 0.0
    noise: float = 0.0
    pixels_01: bool = False

    def train(self, seed: int) -> doctor.Patient:
        torch.manual_seed(seed)
        images, labels = digits()
        test = digits("test")
        if self.pixels_01:
            images, test = images * 0.3081 + 0.1307, (test[0] * 0.3081 + 0.1307, test[1])
        data = loader(images[: self.images], labels[: self.images], self.batch_size)
        network = self.network()
        optimiser = self.optimiser(network.parameters())
        schedule = self.schedule(optimiser, self.epochs * len(data)) if self.schedule else None
        with doctor.watch(network, optimiser, validation=loader(*test, 100)) as patient:
            for _ in range(self.epochs):
                network.train()
                for batch, target in data:
                    noisy = batch + self.noise * torch.randn_like(batch)
                    logits = network(noisy)
                    loss = functional.cross_entropy(logits, target, label_smoothing=self.smoothing)
                    optimiser.zero_grad()
                    loss.backward()
                    if self.clip:
                        nn.utils.clip_grad_norm_(network.parameters(), self.clip)
                    optimiser.step()
                    if schedule:
                        schedule.step()
                network.eval()
        return patient


def one_cycle(highest: float) -> Callable[[Optimizer, int], LRScheduler]:
    return lambda optimiser, steps: OneCycleLR(optimiser, highest, steps)


PLAIN: dict[str, Healthy] = {
    "linear": Healthy(mlp, sgd(0.02), batch_size=64),
    "mlp": Healthy(lambda: mlp(128, 64), sgd(0.05)),
    "deep-mlp-batch-norm": Healthy(lambda: mlp(*[64] * 6, norm=True), adam(0.002)),
    "cnn": Healthy(cnn, adam(0.002), epochs=6),
    "residual": Healthy(residual, sgd(0.05, decay=5e-4), epochs=6, batch_size=50),
    "small-data": Healthy(
        lambda: mlp(64, dropout=0.3), sgd(0.02, decay=1e-3), images=200, epochs=15, noise=0.3
    ),
}

MLP = PLAIN["mlp"]

UNUSUAL: dict[str, Healthy] = {
    "sigmoid-glorot": Healthy(
        lambda: mlp(128, 64, activation=nn.Sigmoid, init=nn.init.xavier_normal_),
        sgd(0.1), epochs=12,
    ),
    "sigmoid-default": Healthy(lambda: mlp(64, activation=nn.Sigmoid), sgd(0.2), epochs=12),
    "tanh": Healthy(lambda: mlp(128, 64, activation=nn.Tanh), sgd(0.05)),
    "tanh-long": Healthy(lambda: mlp(64, activation=nn.Tanh), sgd(0.1, decay=1e-3), epochs=20),
    "gelu-adamw": Healthy(lambda: mlp(128, activation=nn.GELU), torch.optim.AdamW),
    "leaky": Healthy(lambda: mlp(128, 64, activation=nn.LeakyReLU), sgd(0.05)),
    "he-init": Healthy(lambda: mlp(128, 64, init=nn.init.kaiming_normal_), sgd(0.02)),
    "normal-0.01-init": replace(
        MLP, network=lambda: mlp(128, init=lambda w: nn.init.normal_(w, std=0.01))
    ),
    "normal-0.1-init": replace(
        MLP, network=lambda: mlp(128, init=lambda w: nn.init.normal_(w, std=0.1)),
        optimiser=sgd(0.02),
    ),
    "orthogonal": replace(MLP, network=lambda: mlp(128, 64, init=nn.init.orthogonal_)),
    "zero-head": replace(MLP, network=zero_head),
    "dropout": replace(MLP, network=lambda: mlp(256, dropout=0.5)),
    "label-smoothing": replace(MLP, smoothing=0.1),
    "decay-steps": replace(MLP, schedule=lambda o, n: StepLR(o, n // 3, 0.1)),
    "cosine": replace(MLP, schedule=CosineAnnealingLR),
    "one-cycle": replace(MLP, schedule=one_cycle(0.1)),
    "one-cycle-adam": Healthy(cnn, adam(0.001), schedule=one_cycle(0.01), epochs=5),
    "full-batch": Healthy(lambda: mlp(128), sgd(0.1), batch_size=600, epochs=80),
    "tiny-batch": Healthy(lambda: mlp(64), sgd(0.01, 0.0), batch_size=4, epochs=2),
    "adam-0.01": Healthy(lambda: mlp(128), adam(0.01), batch_size=64),
    "adam-0.0001": Healthy(lambda: mlp(128, 64), adam(0.0001)),
    "sgd-0.005": Healthy(lambda: mlp(128, 64), sgd(0.005)),
    "sgd-0.1": Healthy(lambda: mlp(128), sgd(0.1)),
    "plain-sgd": Healthy(lambda: mlp(128), sgd(0.05, 0.0)),
    "rmsprop": Healthy(lambda: mlp(128), lambda p: torch.optim.RMSprop(p, 0.001)),
    "adagrad": Healthy(lambda: mlp(128), lambda p: torch.optim.Adagrad(p, 0.01)),
    "clipped": replace(MLP, clip=1.0),
    "pixels-0-1": replace(MLP, pixels_01=True),
    "cnn-batch-norm": Healthy(lambda: cnn(norm=True), sgd(0.05), epochs=5),
    "depthwise": Healthy(bottleneck, adam(0.003), epochs=5),
    "wide": Healthy(lambda: mlp(1024), sgd(0.02), epochs=5),
    "deep-8": Healthy(lambda: mlp(*[64] * 8, init=nn.init.kaiming_normal_), sgd(0.01), epochs=10),
    "dropout-input": replace(MLP, noise=0.5),
    "one-epoch": replace(MLP, epochs=1, batch_size=16),
}  # fmt: skip

RUNS = PLAIN | UNUSUAL


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run", choices=list(RUNS))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    RUNS[given.run].train(given.seed).report()
