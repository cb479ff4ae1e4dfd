"""Mended: weights are drawn at random (PyTorch's default), biases start at zero."""

import torch
from torch import nn
from torch.nn import functional

from examples.doctor.digits import digits, loader, main
from training import doctor


def train(seed: int) -> doctor.Patient:
    torch.manual_seed(seed)
    data = loader(*digits())
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
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
