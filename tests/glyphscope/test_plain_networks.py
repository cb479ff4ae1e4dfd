import pytest
import torch
from torch.nn import functional

from glyphscope.catalogue import network_spec
from glyphscope.errors import InvalidSpec
from glyphscope.networks import Network, build

SHAPE = (1, 28, 28)


def made(name: str, **knobs: object) -> Network:
    return build(network_spec(name, SHAPE, 10, **knobs)).eval()


def names(network: Network) -> list[str]:
    return [layer.name for layer in network.layers]


def shapes(network: Network, kind: str) -> list[tuple[int, ...]]:
    return [layer.output_shape for layer in network.layers if layer.kind == kind]


def test_500_300_has_the_parameters_that_one_counts_by_hand() -> None:
    network = made("mlp")
    assert sum(p.numel() for p in network.parameters()) == (
        784 * 500 + 500 + 500 * 300 + 300 + 300 * 10 + 10
    )


def test_one_number_of_units_is_repeated_by_depth() -> None:
    assert shapes(made("mlp", units=20, depth=3), "dense") == [(20,), (20,), (20,), (10,)]
    assert shapes(made("mlp", units=[30, 20]), "dense") == [(30,), (20,), (10,)]
    with pytest.raises(InvalidSpec, match="depth 2 repeats a single number of units"):
        made("mlp", units=[30, 20], depth=2)


def test_knobs_of_the_convolutions() -> None:
    assert shapes(made("card-cnn", features=[8, 16, 32], kernel=3), "conv") == [
        (8, 28, 28),
        (16, 14, 14),
        (32, 7, 7),
    ]
    assert shapes(made("card-cnn", stride=2), "conv") == [(32, 14, 14), (64, 4, 4)]
    assert shapes(made("card-cnn", stride=[2, 1]), "conv") == [(32, 14, 14), (64, 7, 7)]
    assert shapes(made("card-cnn", padding="valid"), "conv") == [(32, 24, 24), (64, 8, 8)]
    assert shapes(made("card-cnn", padding=1, kernel=[5, 3]), "conv") == [
        (32, 26, 26),
        (64, 13, 13),
    ]
    assert shapes(made("cnn", features=[8], depth=3), "conv") == [(8, 28, 28)] * 3


def test_knobs_of_the_pools() -> None:
    overlapping = made("card-cnn", pool_size=3, pool_stride=2, pool_padding=1)
    assert shapes(overlapping, "pool") == [(32, 14, 14), (64, 7, 7)]
    assert not shapes(made("card-cnn", pool="none", stride=2), "pool")
    x = torch.rand(2, *SHAPE)
    average = made("card-cnn", pool="average").get_submodule("pool1")
    assert torch.allclose(average(x), functional.avg_pool2d(x, 2))


def test_a_strided_same_convolution_halves_whatever_the_kernel() -> None:
    for kernel in (1, 3, 5, 7):
        assert shapes(made("cnn", features=[4], stride=2, kernel=kernel), "conv") == [(4, 14, 14)]


def test_dropout_stands_where_it_is_usual() -> None:
    network = made("cnn", features=[4, 8], dropout=0.5, dropout_conv=0.1)
    assert names(network) == [
        "conv1", "norm1", "act1", "pool1", "drop1", "conv2", "norm2", "act2", "pool2", "drop2",
        "flatten", "dense1", "norm3", "act3", "dropout", "logits",
    ]  # fmt: skip
    assert isinstance(network.get_submodule("drop1"), torch.nn.Dropout2d)
    assert names(made("cnn", features=[4], units=[], dropout=0.5))[-3:] == [
        "flatten",
        "dropout",
        "logits",
    ]


def test_biases_before_batch_norm_are_left_out() -> None:
    assert "conv1.bias" not in dict(made("cnn").named_parameters())
    assert "conv1.bias" in dict(made("cnn", batch_norm=False).named_parameters())


def test_pooling_first_gives_the_same_answer_for_less() -> None:
    early, late = made("fast-cnn"), made("fast-cnn", pool_first=False)
    late.load_state_dict(early.state_dict())
    x = torch.rand(4, *SHAPE)
    assert torch.equal(early(x), late(x))
    assert names(early)[:3] == ["conv1", "pool1", "act1"]


def test_the_fast_network_equals_its_textbook_form() -> None:
    network = made("fast-cnn")
    p = dict(network.named_parameters())
    x = torch.rand(4, *SHAPE)
    h = functional.conv2d(x, p["conv1.weight"], p["conv1.bias"]).relu()
    h = functional.conv2d(functional.max_pool2d(h, 2), p["conv2.weight"], p["conv2.bias"]).relu()
    h = functional.max_pool2d(h, 2).flatten(1)
    h = functional.linear(h, p["dense1.weight"], p["dense1.bias"]).relu()
    expected = functional.linear(h, p["logits.weight"], p["logits.bias"])
    assert torch.allclose(network(x), expected, atol=1e-5)
    assert [tuple(p[k].shape) for k in ("conv1.weight", "conv2.weight", "dense1.weight")] == [
        (24, 1, 5, 5),
        (32, 24, 3, 3),
        (256, 32 * 5 * 5),
    ]
