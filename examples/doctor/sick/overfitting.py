"""Sick: a large network learns 600 images by heart, the three wrong labels in ten as well."""

import torch
from torch import nn
from torch.nn import functional

from examples.doctor.digits import digits, loader, main
from training import doctor


def train(seed: int) -> doctor.Patient:
    torch.manual_seed(seed)
    images, labels = digits()
    wrong = torch.rand(600) < 0.3
    labels = torch.where(wrong, torch.randint(10, (600,)), labels)
    data = loader(images, labels, batch_size=64)
    test = loader(*digits("test"))
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    with doctor.watch(network, optimiser, validation=test) as patient:
        for _ in range(30):
            for images, labels in data:
                loss = functional.cross_entropy(network(images), labels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return patient


if __name__ == "__main__":
    main(train)
