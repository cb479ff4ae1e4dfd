"""What is read off the graph and the hooks, on small networks where the answer is known."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from training import doctor
from training.doctor import graph

Loop = Callable[..., doctor.Patient]
Optimiser = torch.optim.Optimizer


def codes(patient: doctor.Patient) -> list[str]:
    return [finding.code for finding in patient.findings]


def rows(network: nn.Module, x: Tensor) -> int:
    return len(graph.read(network(x)).rows)


VECTOR, IMAGE = torch.randn(4, 8), torch.randn(4, 3, 8, 8)


@pytest.mark.parametrize(
    ("layers", "x", "expected"),
    [
        ([nn.Linear(8, 8), nn.Linear(8, 4)], VECTOR, 1),
        ([nn.Linear(8, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 4)], VECTOR, 1),
        ([nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 4)], VECTOR, 2),
        ([nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 4)], VECTOR, 0),
        ([nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)], IMAGE, 1),
        ([nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 4)], IMAGE, 1),
        ([nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3)], IMAGE, 0),
        ([nn.Conv2d(3, 6, 3, groups=3), nn.Conv2d(6, 4, 1)], IMAGE, 0),  # on purpose
    ],
)
def test_linear_layers_in_a_row(layers: list[nn.Module], x: Tensor, expected: int) -> None:
    assert rows(nn.Sequential(*layers), x) == expected


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.inner = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return x + functional.relu(self.inner(x))


def test_a_sum_that_goes_on_beside_a_layer_is_no_row() -> None:
    assert rows(Residual(), VECTOR) == 0


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (nn.Softmax(1), "softmax"),
        (nn.Sigmoid(), "sigmoid"),
        (nn.Tanh(), "tanh"),
        (nn.ReLU(), "relu"),
        (nn.Identity(), ""),
    ],
)
def test_the_last_step_of_a_network(last: nn.Module, said: str) -> None:
    assert graph.last_step(nn.Sequential(nn.Linear(8, 4), last)(VECTOR)) == said


def test_a_softmax_written_by_hand_is_found(loop: Loop) -> None:
    def step(net: nn.Module, optimiser: Optimiser, x: Tensor, y: Tensor) -> None:
        e = net(x).exp()
        optimiser.zero_grad()
        functional.cross_entropy(e / e.sum(1, keepdim=True), y).backward()
        optimiser.step()

    assert codes(loop(nn.Linear(8, 4), step))[0] == "softmax-twice"


def test_log_softmax_with_nll_loss_is_healthy(loop: Loop) -> None:
    def step(net: nn.Module, optimiser: Optimiser, x: Tensor, y: Tensor) -> None:
        optimiser.zero_grad()
        functional.nll_loss(functional.log_softmax(net(x), 1), y).backward()
        optimiser.step()

    assert codes(loop(nn.Linear(8, 4), step)) == []


def test_gradients_gathered_on_purpose_are_healthy(loop: Loop) -> None:
    def step(net: nn.Module, optimiser: Optimiser, x: Tensor, y: Tensor) -> None:
        for part, target in zip(x.split(8), y.split(8), strict=True):
            (functional.cross_entropy(net(part), target) / 4).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimiser.step()
        optimiser.zero_grad(set_to_none=False)

    assert codes(loop(nn.Linear(8, 4), step)) == []


def test_a_frozen_layer_is_healthy(loop: Loop) -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    network[0].requires_grad_(False)
    assert codes(loop(network)) == []


def test_frozen_batch_norm_beside_dropout_that_works_is_healthy(loop: Loop) -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1))
    network.append(nn.Linear(8, 4))
    network[1].eval()
    assert codes(loop(network)) == []


def test_ignored_labels_are_no_labels_out_of_range(loop: Loop) -> None:
    labels = torch.randint(4, (32,))
    labels[::4] = -100
    assert codes(loop(nn.Linear(8, 4), y=labels)) == []


def test_an_unused_layer_gets_no_gradient(loop: Loop) -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(8, 4), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.used(x)
            return answer

    found = loop(Forgetful()).findings
    assert [f.code for f in found] == ["gradient-missing"]
    assert found[0].numbers["names"] == ["unused.weight", "unused.bias"]


def test_two_optimisers_hold_all_parameters_together() -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    both = [torch.optim.SGD(network[i].parameters(), 0.1) for i in (0, 2)]
    with doctor.watch(network, both) as patient:
        for _ in range(5):
            network.zero_grad()
            functional.cross_entropy(network(VECTOR), torch.tensor([0, 1, 2, 3])).backward()
            for optimiser in both:
                optimiser.step()
    assert codes(patient) == []
    with doctor.watch(network, both[0]) as patient:
        functional.cross_entropy(network(VECTOR), torch.tensor([0, 1, 2, 3])).backward()
        both[0].step()
    assert codes(patient) == ["parameters-missing"]


def test_one_layer_of_zeros_is_healthy_and_all_of_them_are_not(loop: Loop) -> None:
    for layers, expected in (((2,), []), ((0,), []), ((0, 2), ["init-constant"])):
        linear = [nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)]
        for place in layers:
            for p in linear[place].parameters():
                nn.init.constant_(p, 0.0 if p.dim() > 1 else 0.1)
        network = nn.Sequential(*linear)
        assert codes(loop(network))[:1] == expected
