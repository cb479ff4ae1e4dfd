from collections.abc import Callable, Iterable
from typing import get_args

import pytest
import torch
from torch import nn

from glyphscope.catalogue import network_spec
from glyphscope.errors import InvalidRecipe
from glyphscope.networks import Network, build, place
from training import recipe
from training.optimisers import OPTIMISERS, optimiser, set_learning_rate, weights
from training.recipe import DecayRecipe, OptimiserRecipe

NAMES = list(OPTIMISERS)


def network(name: str = "card-cnn") -> Network:
    knobs = {"features": [3, 4], "units": [8, 6]} if name == "card-cnn" else {}
    return place(build(network_spec(name, (1, 12, 12), 5, **knobs)), torch.device("cpu"))


def decays(found: Network, how: OptimiserRecipe) -> dict[str, float]:
    """Parameter -> the weight decay of its group."""
    names = {parameter: name for name, parameter in found.named_parameters()}
    groups = optimiser(found, how).param_groups
    return {names[p]: group["weight_decay"] for group in groups for p in group["params"]}


def test_every_parameter_is_moved_once_and_biases_are_not_decayed() -> None:
    found = network("residual-small")
    given = decays(found, OptimiserRecipe(weight_decay=0.5))
    assert set(given) == {name for name, _ in found.named_parameters()}
    matrices = {name for name, p in found.named_parameters() if p.ndim > 1}
    assert {name for name, decay in given.items() if decay} == matrices


def test_decay_can_differ_by_kind_of_layer() -> None:
    how = OptimiserRecipe(weight_decay=0.1, decay=DecayRecipe(conv=0.2, logits=0))
    assert {k: v for k, v in decays(network(), how).items() if k.endswith("weight")} == {
        "conv1.weight": 0.2,
        "conv2.weight": 0.2,
        "dense1.weight": 0.1,
        "dense2.weight": 0.1,
        "logits.weight": 0.0,
    }


def test_decay_by_kind_is_a_key_of_the_recipe_and_of_the_command_line() -> None:
    how = recipe.load("mnist", ["optimiser.weight_decay=1e-4", "optimiser.decay.conv=0.5"])
    assert how.optimiser.weight_decay == 1e-4
    assert how.optimiser.decay == DecayRecipe(conv=0.5)
    with pytest.raises(InvalidRecipe, match="known here: conv, dense, logits"):
        recipe.load("mnist", ["optimiser.decay.bias=1"])


def test_kinds_and_places_of_weights() -> None:
    assert [(w.kind, w.hidden) for w in weights(network())] == [
        ("conv", False),
        ("conv", True),
        ("dense", True),
        ("dense", True),
        ("logits", False),
    ]


def test_muon_turns_hidden_matrices_only() -> None:
    found = network()
    names = {parameter: name for name, parameter in found.named_parameters()}
    groups = optimiser(found, OptimiserRecipe(name="muon")).param_groups
    turned = {names[p] for group in groups if group["matrices"] for p in group["params"]}
    assert turned == {"conv2.weight", "dense1.weight", "dense2.weight"}


def step(name: str, decay: float, found: Network, **knobs: float) -> None:
    how = OptimiserRecipe.model_validate(
        {"name": name, "weight_decay": decay, "learning_rate": 0.1, "momentum": 0, **knobs}
    )
    optimizer = optimiser(found, how)
    torch.manual_seed(0)
    for p in found.parameters():
        p.grad = torch.randn(p.shape)
    optimizer.step()


def test_sgd_adds_half_the_squares_to_the_loss() -> None:
    plain, decayed = network(), network()
    start = decayed.get_parameter("conv1.weight").detach().clone()
    step("sgd", 0.0, plain)
    step("sgd", 0.3, decayed)
    moved = plain.get_parameter("conv1.weight") - decayed.get_parameter("conv1.weight")
    assert torch.allclose(moved, 0.1 * 0.3 * start, atol=1e-6)


def test_adams_decay_goes_through_its_scaling_and_adamws_does_not() -> None:
    start = network().get_parameter("conv1.weight").detach().clone()
    torch.manual_seed(0)
    gradient = torch.randn(start.shape)
    adam, adamw = network(), network()
    step("adam", 0.3, adam)
    step("adamw", 0.3, adamw)
    # The first step of Adam is the sign of its gradient.
    coupled = start - 0.1 * (gradient + 0.3 * start).sign()
    beside = start * (1 - 0.1 * 0.3) - 0.1 * gradient.sign()
    assert torch.allclose(adam.get_parameter("conv1.weight"), coupled, atol=1e-4)
    assert torch.allclose(adamw.get_parameter("conv1.weight"), beside, atol=1e-4)


Make = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]

REFERENCES: dict[str, Make] = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, 0.1, betas=(0.8, 0.95), foreach=False),
    "adamw": lambda p: torch.optim.AdamW(p, 0.1, betas=(0.8, 0.95), weight_decay=0, foreach=False),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.1, alpha=0.95, momentum=0.8),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_knobs_reach_pytorch_and_fusing_changes_nothing(name: str) -> None:
    ours, theirs = network(), network()
    how = OptimiserRecipe.model_validate(
        {"name": name, "learning_rate": 0.1, "momentum": 0.8, "beta2": 0.95, "weight_decay": 0}
    )
    mine, reference = optimiser(ours, how), REFERENCES[name](theirs.parameters())
    x, labels = torch.rand(8, 1, 12, 12), torch.arange(8) % 5
    for _ in range(5):
        for found, optimizer in ((ours, mine), (theirs, reference)):
            optimizer.zero_grad()
            nn.functional.cross_entropy(found(x), labels).backward()
            optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_learning_rate_reaches_every_group(name: str) -> None:
    optimizer = optimiser(network(), OptimiserRecipe.model_validate({"name": name}))
    set_learning_rate(optimizer, 0.25)
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}


def test_every_optimiser_of_the_recipe_exists() -> None:
    names = OptimiserRecipe.model_fields["name"].annotation
    assert list(get_args(names)) == NAMES
