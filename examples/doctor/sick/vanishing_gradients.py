"""Sick: eight sigmoid layers, each of which shrinks the gradient."""

import torch
from torch import nn
from torch.nn import functional

from examples.doctor.digits import digits, loader, main
from training import doctor


def train(seed: int) -> doctor.Patient:
    torch.manual_seed(seed)
    data = loader(*digits())
    hidden = [layer for _ in range(7) for layer in (nn.Linear(64, 64), nn.Sigmoid())]
    first = [nn.Flatten(), nn.Linear(784, 64), nn.Sigmoid()]
    network = nn.Sequential(*first, *hidden, nn.Linear(64, 10))
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
