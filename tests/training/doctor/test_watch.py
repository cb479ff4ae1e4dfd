"""Watching changes nothing, hears any loop, and leaves nothing behind."""

from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from glyphscope.errors import InvalidInput
from training import doctor


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 4)
    )


def batches() -> DataLoader[tuple[Tensor, ...]]:
    draw = torch.Generator().manual_seed(2)
    data = TensorDataset(
        torch.randn(64, 8, generator=draw), torch.randint(4, (64,), generator=draw)
    )
    return DataLoader(data, 16, shuffle=True)


def train(net: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    for _ in range(3):
        for x, y in batches():
            loss = functional.cross_entropy(net(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def hooks(net: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Every hook dictionary of modules, parameters and the optimiser, counted."""
    owners: list[object] = [*net.modules(), *net.parameters(), optimiser]
    kept = [v for owner in owners for k, v in vars(owner).items() if "hook" in k]
    leaves = [p._backward_hooks for p in net.parameters()]
    return sum(len(d) for d in [*kept, *leaves] if isinstance(d, (dict, OrderedDict)))


def test_a_watched_training_ends_bit_equal_to_one_that_was_not() -> None:
    results = []
    for watched in (False, True):
        net = network()
        optimiser = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
        torch.manual_seed(3)
        if watched:
            with doctor.watch(net, optimiser, training=batches(), validation=batches()):
                train(net, optimiser)
        else:
            train(net, optimiser)
        results.append([*net.state_dict().values(), torch.rand(3)])
    for plain, seen in zip(*results, strict=True):
        assert torch.equal(plain, seen)


def test_every_hook_is_gone_at_the_end() -> None:
    net = network()
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    before = hooks(net, optimiser)
    patient = doctor.watch(net, optimiser)
    with patient:
        assert hooks(net, optimiser) > before + 10
        train(net, optimiser)
    assert hooks(net, optimiser) == before
    steps = len(patient.record.steps)
    train(net, optimiser)
    assert len(patient.record.steps) == steps == 12
    patient.stop()


def test_every_hook_is_gone_after_an_error_which_tells_what_the_doctor_found() -> None:
    net = network()
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    before = hooks(net, optimiser)
    with pytest.raises(IndexError) as caught, doctor.watch(net, optimiser):
        functional.cross_entropy(net(torch.randn(4, 8)), torch.tensor([1, 2, 3, 4]))
    assert "Labels run from 1 to 4, but the network has 4 outputs" in caught.value.__notes__[0]
    assert hooks(net, optimiser) == before
    assert not torch.overrides._get_current_function_mode_stack()


def test_losses_and_learning_rates_are_those_of_the_loop() -> None:
    net = network()
    optimiser = torch.optim.Adam(net.parameters(), 0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.5)
    seen = []
    with doctor.watch(net, optimiser) as patient:
        for x, y in batches():
            loss = functional.cross_entropy(net(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            seen.append(float(loss.detach()))
    assert patient.record.losses == pytest.approx(seen)
    assert [s.rate for s in patient.record.steps] == pytest.approx([0.1, 0.05, 0.025, 0.0125])


def test_norms_are_those_of_the_weights() -> None:
    net = nn.Linear(8, 4)
    optimiser = torch.optim.SGD(net.parameters(), 0.5)
    before = net.weight.detach().clone()
    with doctor.watch(net, optimiser) as patient:
        functional.cross_entropy(net(torch.randn(16, 8)), torch.randint(4, (16,))).backward()
        optimiser.step()
    step = patient.record.steps[0]
    assert step.weights["weight"] == pytest.approx(float(before.norm()))
    assert step.updates["weight"] == pytest.approx(
        float((net.weight.detach() - before).norm()), rel=1e-4
    )
    assert step.gradients["weight"] == pytest.approx(step.updates["weight"] / 0.5, rel=1e-4)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_reduction_of_the_loss_makes_no_difference(reduction: str) -> None:
    net = network().eval()
    optimiser = torch.optim.SGD(net.parameters(), 0.0)
    x, y = torch.randn(16, 8), torch.randint(4, (16,))
    with doctor.watch(net, optimiser) as patient:
        functional.cross_entropy(net(x), y, reduction=reduction).sum().backward()
        optimiser.step()
    expected = functional.cross_entropy(net(x), y)
    expected.backward()
    assert patient.record.losses[0] == pytest.approx(float(expected.detach()))
    gradient = torch.autograd.grad(functional.cross_entropy(net(x), y), list(net.parameters()))[0]
    assert patient.record.steps[0].gradients["0.weight"] == pytest.approx(float(gradient.norm()))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.last(torch.relu(self.first(x)).tanh())
        return answer


def test_activations_are_heard_without_modules(loop: Callable[..., doctor.Patient]) -> None:
    layers = loop(Functional()).record.layers
    assert [(layer.name, layer.kind) for layer in layers.values()] == [
        ("relu", "relu"),
        ("tanh", "tanh"),
    ]
    assert layers["relu"].first.active.shape == (16,)


def test_a_loss_of_ones_own_is_followed_too(loop: Callable[..., doctor.Patient]) -> None:
    def step(net: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
        loss = -torch.log_softmax(net(x), 1)[torch.arange(len(y)), y].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    patient = loop(network(), step)
    assert len(patient.record.steps) == 6
    assert patient.record.losses[0] == pytest.approx(1.4, abs=0.5)


@pytest.mark.slow
def test_a_compiled_network_is_heard_as_if_it_were_not() -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    compiled = torch.compile(net, backend="eager")
    with doctor.watch(net, optimiser) as patient:
        train(compiled, optimiser)  # type: ignore[arg-type]
    assert list(patient.record.layers) == ["1 (relu)"]
    assert len(patient.record.steps) == 12


def test_what_is_only_looked_at_is_held_out(loop: Callable[..., doctor.Patient]) -> None:
    other = torch.randn(10, 8)

    def step(net: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
        functional.cross_entropy(net(x), y).backward()
        optimiser.step()
        optimiser.zero_grad()
        with torch.no_grad():
            functional.cross_entropy(net(other), torch.zeros(10, dtype=torch.long))
        functional.cross_entropy(net(other), torch.zeros(10, dtype=torch.long))  # no_grad forgotten
        with torch.no_grad():
            functional.cross_entropy(net(x), y)  # training images: nothing new

    record = loop(network(), step).record
    assert [(h.step, h.n) for h in record.held_out] == [(i, 20) for i in range(1, 7)]
    assert len(record.stream.prints) == 32


@pytest.mark.parametrize("given", [iter([]), [torch.zeros(3)]])
def test_a_loader_that_cannot_be_read_is_refused(given: object) -> None:
    net = nn.Linear(2, 2)
    patient = doctor.watch(net, torch.optim.SGD(net.parameters(), 1.0), validation=given)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="validation"):
        patient.start()
