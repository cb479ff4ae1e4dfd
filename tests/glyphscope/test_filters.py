import numpy as np
import pytest
import torch

from glyphscope.catalogue import network_spec
from glyphscope.errors import InvalidInput
from glyphscope.filters import (
    default_view,
    first_layer,
    kernel_shape,
    kernels,
    tiles,
    with_kernels,
)
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


def test_a_deeper_layer_has_a_kernel_for_every_input() -> None:
    network = build(network_spec("card-cnn", (1, 28, 28), 10, features=[3, 4], units=8))
    weights = kernels(network, "conv2")
    assert weights.shape == (4, 3, 5, 5)
    assert torch.equal(weights, network.state_dict()["conv2.weight"])
    assert default_view(network, "conv1") == "image"
    assert default_view(network, "conv2") == "mean"
    assert tiles(weights).shape == (4, 1, 5, 5)
    every = tiles(weights, "grid").reshape(4, 3, 5, 5)
    for unit in range(4):
        own = weights[unit] / weights[unit].abs().max()
        np.testing.assert_allclose(every[unit], 127.5 + 127.5 * own, atol=0.51)


def test_the_mean_keeps_the_sign_and_the_norm_does_not() -> None:
    weights = torch.zeros(2, 2, 1, 2)
    weights[0, :, 0, 0] = torch.tensor([3.0, -4.0])
    weights[1, :, 0, 1] = torch.tensor([-3.0, -3.0])
    mean, norm = tiles(weights, "mean", shared=True), tiles(weights, "norm", shared=True)
    assert mean[:, 0, 0].tolist() == [[106, 128], [128, 0]]
    assert norm[:, 0, 0].tolist() == [[255, 128], [128, 236]]


def test_a_dense_layer_after_a_flattened_map_is_shown_as_that_map() -> None:
    network = build(network_spec("card-cnn", (1, 28, 28), 10, features=[3, 4], units=8))
    assert kernels(network, "dense1").shape == (8, 4, 7, 7)
    assert kernels(network, "logits").shape == (10, 1, 1, 8)
    # A unit that reads one pixel of one channel shows it in its place.
    with torch.no_grad():
        network.state_dict()["dense1.weight"].zero_()
        network.state_dict()["dense1.weight"][5, 2 * 49 + 3 * 7 + 1] = 1.0
    picture = tiles(kernels(network, "dense1"))[5, 0]
    assert np.argwhere(picture != 128).tolist() == [[3, 1]]


def test_a_layer_without_weights_is_refused() -> None:
    network = build(network_spec("card-cnn", (1, 28, 28), 10, features=[3, 4], units=8))
    with pytest.raises(
        InvalidInput, match=r"act1 \(relu\) has no kernels; ask one of conv1, conv2"
    ):
        kernels(network, "act1")
    with pytest.raises(InvalidInput, match="no kernels"):
        kernels(build(network_spec("residual-small", (1, 28, 28), 10)), "norm1")


@pytest.mark.parametrize("name", ["card-cnn", "linear"])
def test_the_shape_of_kernels_is_told_without_them(name: str) -> None:
    network = build(network_spec(name, (1, 28, 28), 10))
    for layer in network.layers:
        told = kernel_shape(network, layer.name)
        if layer.name in with_kernels(network):
            assert told == kernels(network, layer.name).shape[1:]
        else:
            assert told is None
