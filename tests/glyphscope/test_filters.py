import torch

from glyphscope.catalogue import network_spec
from glyphscope.filters import first_layer
from glyphscope.networks import build


def test_the_strongest_weight_of_each_unit_is_black_or_white_and_zero_is_grey() -> None:
    network = build(network_spec("card-cnn", (1, 28, 28), 10, features=[3, 4]))
    weights = next(network.parameters())
    with torch.no_grad():
        weights.zero_()
        weights[0, 0, 1, 2] = -0.5
        weights[0, 0, 0, 0] = 0.25
        weights[1, 0, 4, 4] = 8.0
    pictures = first_layer(network)
    assert pictures.shape == (3, 1, 5, 5)
    assert (pictures[0, 0, 1, 2], pictures[0, 0, 0, 0], pictures[0, 0, 3, 3]) == (0, 191, 128)
    assert pictures[1, 0, 4, 4] == 255
    assert (pictures[2] == 128).all()


def test_a_dense_layer_gives_pictures_of_the_inputs_size() -> None:
    network = build(network_spec("linear", (3, 8, 8), 10))
    assert first_layer(network, most=4).shape == (4, 3, 8, 8)
