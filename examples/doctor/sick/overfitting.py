"""Sick: a large network learns 300 images by heart, with four wrong labels in ten among them."""

import torch
from torch import nn
from torch.nn import functional

from examples.doctor.digits import digits, loader, main
from training import doctor


def train(seed: int) -> doctor.Patient:
    torch.manual_seed(seed)
    images, labels = digits()
    images, labels = images[:300], labels[:300]
    wrong = torch.rand(300) < 0.4
    labels = torch.where(wrong, torch.randint(10, (300,)), labels)
    data = loader(images, labels)
    test = loader(*digits("test"))
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=0.003)
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
