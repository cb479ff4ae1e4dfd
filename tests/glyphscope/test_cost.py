import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from glyphscope.catalogue import network_spec
from glyphscope.cost import multiply_adds
from glyphscope.networks import build


@pytest.mark.parametrize("name", ["mlp", "card-cnn", "fast-cnn", "residual-small", "resnet"])
def test_the_count_is_half_of_pytorchs_flops(name: str) -> None:
    network = build(network_spec(name, (1, 28, 28), 10)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.rand(1, 1, 28, 28))
    assert 2 * sum(multiply_adds(network).values()) == counter.get_total_flops()


def test_one_layer_by_hand() -> None:
    costs = multiply_adds(build(network_spec("card-cnn", (1, 28, 28), 10)))
    assert costs["conv2"] == 14 * 14 * 64 * 32 * 5 * 5
    assert costs["dense1"] == 64 * 7 * 7 * 1024
    assert costs["pool1"] == 0
