"""Sick: twenty residual blocks without any normalisation double the signal each."""

import torch
from torch import nn
from torch.nn import functional

from examples.doctor.digits import digits, loader, main
from training import doctor


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)
        nn.init.kaiming_normal_(self.layer.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + functional.relu(self.layer(x))


def train(seed: int) -> doctor.Patient:
    torch.manual_seed(seed)
    data = loader(*digits())
    blocks = [Block() for _ in range(20)]
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), *blocks, nn.Linear(64, 10))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    with doctor.watch(network, optimiser) as patient:
        for _ in range(8):
            for images, labels in data:
                loss = functional.cross_entropy(network(images), labels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return patient


if __name__ == "__main__":
    main(train)
