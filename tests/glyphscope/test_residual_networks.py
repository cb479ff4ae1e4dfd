import pytest
import torch
from torch import Tensor
from torch.nn import functional

from glyphscope.catalogue import network_spec
from glyphscope.errors import InvalidSpec
from glyphscope.networks import Network, build

COLOUR = (3, 32, 32)
WIDE = {"preactivation": True, "shortcut": "projection"}


def made(name: str, **knobs: object) -> Network:
    return build(network_spec(name, COLOUR, 10, **knobs)).eval()


def parameters(network: Network) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)]
)
def test_cifar_resnets_have_the_parameters_of_table_6(depth: int, millions: float) -> None:
    digits = 1 if depth == 110 else 2
    assert round(parameters(made("resnet", depth=depth)) / 1e6, digits) == millions


@pytest.mark.parametrize(
    ("depth", "width", "millions"), [(16, 8, 11.0), (40, 4, 8.9), (28, 10, 36.5)]
)
def test_wide_resnets_have_the_parameters_of_the_paper(
    depth: int, width: int, millions: float
) -> None:
    with torch.device("meta"):
        network = made("resnet", depth=depth, width=width, **WIDE)
    assert round(parameters(network) / 1e6, 1) == millions


@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032)],
)
def test_imagenet_resnets_have_the_parameters_of_torchvision(name: str, count: int) -> None:
    with torch.device("meta"):
        network = build(network_spec(name, (3, 224, 224), 1000))
    assert parameters(network) == count


class Naive:
    """Layers by their names, applied one after the other, to write a network down as a paper."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def __call__(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = self.network.get_submodule(name)(x)
        return x


def test_a_padded_resnet_is_the_papers() -> None:
    network = made("resnet", depth=8)
    naive = Naive(network)
    x = torch.rand(2, *COLOUR)
    h = naive(x, "conv1", "norm1").relu()
    for stage in (1, 2, 3):
        at = f"block{stage}_1."
        inner = naive(naive(h, at + "conv1", at + "norm1").relu(), at + "conv2", at + "norm2")
        if stage > 1:
            h = h[:, :, ::2, ::2]
            h = torch.cat([h, torch.zeros_like(h)], dim=1)
        h = (inner + h).relu()
    expected = naive(h.mean((2, 3)), "logits")
    assert torch.allclose(network(x), expected, atol=1e-5)


def test_a_wide_resnet_shares_the_first_activation_where_the_shape_changes() -> None:
    network = made("resnet", depth=10, width=2, **WIDE)
    naive = Naive(network)
    x = torch.rand(2, *COLOUR)
    h = naive(x, "conv1")
    for stage, stride in ((1, 1), (2, 2), (3, 2)):
        at = f"block{stage}_1."
        h = naive(h, f"norm{stage}_1").relu()
        inner = naive(naive(h, at + "conv1", at + "norm2").relu(), at + "conv2")
        weight = network.get_parameter(at + "shortcut.conv.weight")
        h = inner + functional.conv2d(h, weight, stride=stride)
    expected = naive(naive(h, "norm").relu().mean((2, 3)), "logits")
    assert torch.allclose(network(x), expected, atol=1e-5)


def test_a_block_that_keeps_its_shape_has_a_free_shortcut() -> None:
    network = made("resnet", depth=14, **WIDE, width=1)
    naive = Naive(network)
    x = torch.rand(2, 16, 32, 32)
    at = "block1_2."
    h = naive(naive(x, at + "norm1").relu(), at + "conv1", at + "norm2").relu()
    assert torch.allclose(naive(x, "block1_2"), x + naive(h, at + "conv2"), atol=1e-6)


def test_dropout_stands_inside_wide_blocks_and_else_before_the_logits() -> None:
    wide = [layer.name for layer in made("resnet", depth=10, dropout=0.3, **WIDE).layers]
    assert wide.count("dropout") == 0
    assert "block1_1.dropout" in wide
    plain = [layer.name for layer in made("resnet", depth=8, dropout=0.3).layers]
    assert plain[-2:] == ["dropout", "logits"]


def test_knobs_of_the_small_residual_network() -> None:
    bare = made("residual-small", batch_norm=False, pool="average", kernel=5, blocks=[1, 2, 1])
    kinds = [layer.kind for layer in bare.layers]
    assert "batch_norm" not in kinds
    assert bare.get_parameter("block2_2.conv1.weight").shape == (64, 64, 5, 5)
    assert isinstance(bare.get_submodule("pool1"), torch.nn.AvgPool2d)
    assert bare.get_parameter("block1.conv1.bias").shape == (32,)
    with pytest.raises(InvalidSpec, match="as many blocks as features"):
        made("residual-small", blocks=[1])


@pytest.mark.parametrize("depth", [3, 5, 21, 4])
def test_a_depth_that_makes_no_whole_blocks_is_refused(depth: int) -> None:
    with pytest.raises(InvalidSpec, match=rf"depth must be 6n \+ 2 .* not {depth}"):
        made("resnet", depth=depth)
