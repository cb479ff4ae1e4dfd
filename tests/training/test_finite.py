import math

import pytest
import torch
from torch import Tensor, nn

from training.finite import NotFinite, Tally, origin


def test_the_tally_is_the_mean_over_the_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    losses, rights = torch.rand(2, 11, generator=generator)
    for every in (1, 4, 50):
        tally = Tally(every)
        for loss, right in zip(losses, rights, strict=True):
            tally.add(loss, right)
        assert tally.means() == pytest.approx((float(losses.mean()), float(rights.mean())))


@pytest.mark.parametrize(("every", "told_at"), [(1, 3), (2, 4), (4, 4), (9, None)])
def test_a_loss_that_is_not_finite_is_told_when_it_is_read(every: int, told_at: int | None) -> None:
    tally, told = Tally(every), []
    for n, loss in enumerate([1.0, 1.0, math.nan, math.inf], start=1):
        try:
            tally.add(torch.tensor(loss), torch.tensor(0.5))
        except NotFinite as found:
            told.append((n, found.step))
            break
    assert told == ([(told_at, 3)] if told_at else [])
    if not told_at:
        with pytest.raises(NotFinite, match="loss nan at step 3"):
            tally.means()


class Root(nn.Module):
    """Finite at 0, and its derivative is not."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sqrt()


def sizes() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), Root(), nn.Linear(3, 2))


def test_weights_of_a_layer_too_large() -> None:
    network = sizes()
    nn.init.constant_(network.get_parameter("0.weight"), 3e38)
    said = origin(network, torch.ones(2, 4))
    assert said == "The output of layer 0 is the first that is not finite; its weights reach 3e+38."


def test_a_layer_without_weights() -> None:
    network = sizes()
    network[1] = nn.Identity()
    nn.init.constant_(network.get_parameter("0.bias"), -9.0)
    said = origin(network, torch.zeros(2, 4))
    assert said == "The output of layer 2 is the first that is not finite."


def test_a_gradient_that_spoilt_the_weights() -> None:
    """sqrt(0): the forward pass is fine, the step after it is not."""
    network = sizes()
    network[1] = nn.Identity()
    for parameter in network[0].parameters():
        nn.init.zeros_(parameter)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    loss = network(torch.ones(2, 4)).sum()
    assert torch.isfinite(loss)
    loss.backward()
    optimiser.step()
    said = origin(network, torch.ones(2, 4))
    assert said == (
        "The weights 0.weight are not finite any more, after a gradient of 0.bias that was not."
    )


def test_hooks_are_gone_afterwards() -> None:
    network = sizes()
    origin(network, torch.ones(2, 4))
    assert not any(module._forward_hooks for module in network.modules())
