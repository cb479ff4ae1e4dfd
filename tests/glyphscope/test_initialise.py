import math

import pytest
import torch
from torch import nn

from glyphscope.catalogue import network_spec
from glyphscope.initialise import RULES
from glyphscope.networks import Network, build
from glyphscope.weight_rule import NAMES, parse

FAN_IN = 25 * 8


def conv(init: str) -> nn.Conv2d:
    network = build(network_spec("cnn", (1, 28, 28), 10, features=[8, 256], kernel=5, init=init))
    found = network.get_submodule("conv2")
    assert isinstance(found, nn.Conv2d)
    return found


@pytest.mark.parametrize(
    ("init", "std"),
    [
        ("default", math.sqrt(1 / (3 * FAN_IN))),
        ("he", math.sqrt(2 / FAN_IN)),
        ("glorot", math.sqrt(2 / (FAN_IN + 25 * 256))),
        ("xavier", math.sqrt(2 / (FAN_IN + 25 * 256))),
        ("lecun", math.sqrt(1 / FAN_IN)),
        ("normal:0.3", 0.3),
        ("uniform:0.3", 0.3 / math.sqrt(3)),
        ("zeros", 0.0),
    ],
)
def test_the_spread_is_the_papers(init: str, std: float) -> None:
    weight = conv(init).weight.detach()
    assert float(weight.std()) == pytest.approx(std, rel=0.02)
    assert float(weight.mean()) == pytest.approx(0, abs=0.02 * std)


def test_orthogonal_rows_are_orthonormal() -> None:
    rows = conv("orthogonal").weight.flatten(1)[:, :256]
    product = rows.T @ rows  # 256 rows of 200 numbers: the columns are orthonormal
    assert torch.allclose(product, torch.eye(FAN_IN), atol=1e-5)


def biases(network: Network) -> list[torch.Tensor]:
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    return [layer.bias for layer in layers if layer.bias is not None]


def test_every_rule_but_the_default_zeroes_biases_and_leaves_batch_norm_alone() -> None:
    plain = build(network_spec("card-cnn", (1, 28, 28), 10, init="normal:1"))
    assert not any(bias.any() for bias in biases(plain))
    assert all(bias.any() for bias in biases(build(network_spec("card-cnn", (1, 28, 28), 10))))
    normed = build(network_spec("cnn", (1, 28, 28), 10, init="zeros"))
    assert (normed.get_parameter("norm1.weight") == 1).all()


def test_the_seed_decides_the_draw() -> None:
    spec = network_spec("mlp", (1, 28, 28), 10, units=16, init="he")
    a, b, c = (build(spec, seed=s).get_parameter("dense1.weight") for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("he-normal", "known: default, he, glorot, xavier, lecun, orthogonal, zeros, constant:NUM"),
        ("normal", "unknown weight initialisation 'normal'"),
        ("normal:wide", "'wide' in weight initialisation 'normal:wide' is no number"),
        ("normal:-1", "must be 0 to 1e6"),
        ("uniform:nan", "must be 0 to 1e6"),
        ("he:1", "unknown weight initialisation 'he:1'"),
    ],
)
def test_what_is_not_understood_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="weight initialisation") as caught:
        parse(text)
    assert said in str(caught.value)


def test_every_name_has_a_rule() -> None:
    assert set(NAMES) == {"default", *RULES}
