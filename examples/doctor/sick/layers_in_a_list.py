"""Sick: layers in a plain list, which parameters() does not find."""

import torch
from torch import nn
from torch.nn import functional

from examples.doctor.digits import digits, loader, main
from training import doctor


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = [nn.Linear(784, 128), nn.Linear(128, 128)]  # a list hides its layers
        self.last = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        for layer in self.hidden:
            x = functional.relu(layer(x))
        answer: torch.Tensor = self.last(x)
        return answer


def train(seed: int) -> doctor.Patient:
    torch.manual_seed(seed)
    data = loader(*digits())
    network = Net()
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
