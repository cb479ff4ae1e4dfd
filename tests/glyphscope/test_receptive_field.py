import pytest
import torch
from torch import nn

from glyphscope.activations import listen
from glyphscope.catalogue import network_spec
from glyphscope.networks import Network, build
from glyphscope.receptive_field import receptive_fields
from glyphscope.spec import NetworkSpec

SPECS = {
    "card-cnn": network_spec("card-cnn", (1, 28, 28), 10, features=[2, 2], units=4),
    "valid, even kernels, stride": network_spec(
        "cnn", (1, 29, 29), 10, features=[2, 2, 2], kernel=[4, 3, 2], stride=[2, 1, 1],
        padding="valid", pool_size=3, pool_stride=2, pool_padding=1, units=4,
    ),
    "even kernels, same": network_spec("cnn", (1, 20, 20), 10, features=[2, 2], kernel=4, units=4),
    "residual-small": network_spec("residual-small", (1, 28, 28), 10, features=[2, 3, 3]),
    "padded shortcuts": network_spec("resnet", (1, 28, 28), 10, depth=8, features=[2, 3, 4]),
    "projections": network_spec(
        "resnet", (1, 28, 28), 10, depth=8, features=[2, 3, 4], shortcut="projection"
    ),
    "preactivated": network_spec(
        "resnet", (1, 28, 28), 10, depth=10, features=[2, 2, 2], preactivation=True
    ),
    "bottleneck": network_spec("resnet50", (1, 64, 64), 10, blocks=(1, 1), width=2),
}  # fmt: skip


def positive(spec: NetworkSpec) -> Network:
    """Weights above 0 and no choices, so that no path cancels another or is switched off."""
    network = build(spec).double().eval()
    for path, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.abs_().add_(0.1)
        elif isinstance(module, nn.MaxPool2d):
            average = nn.AvgPool2d(module.kernel_size, module.stride, module.padding)
            parent, _, name = path.rpartition(".")
            setattr(network.get_submodule(parent), name, average)
    return network


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("name", SPECS)
def test_boxes_are_where_gradients_are(name: str) -> None:
    spec = SPECS[name]
    network = positive(spec)
    fields = receptive_fields(network)
    x = torch.rand(1, *spec.input_shape, dtype=torch.float64).requires_grad_()
    with listen(network, fields) as heard:
        network(x)
    for layer, output in heard.items():
        places = [(0, 0)]
        if output.ndim == 4:
            h, w = output.shape[2:]
            places = [(0, 0), (h // 2, w // 3), (h - 1, w - 1)]
        for row, column in places:
            own = output[0, 0, row, column] if output.ndim == 4 else output[0].sum()
            [slope] = torch.autograd.grad(own, x, retain_graph=True)
            seen = slope[0, 0].abs() > 0
            rows, columns = seen.any(1).nonzero(), seen.any(0).nonzero()
            box = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
            found = fields[layer].box(row, column)
            assert found == box, (layer, row, column)


def test_published_sizes() -> None:
    """Araujo, Norris & Sim 2019, table 1: VGG-16 sees 212 pixels at a stride of 32."""
    network = network_spec(
        "cnn", (3, 224, 224), 10, features=[1, 1, 1, 1, 1], depth=[2, 2, 3, 3, 3], units=[1]
    )
    field = receptive_fields(build(network))["pool5"]
    assert (field.size, field.stride) == (212, 32)
    # 32 = 2^5 of the pools; the first position begins where the paddings reach: -(212 - 32) / 2.
    assert field.offset == -90
    assert field.box(3, 0) == (6, 0, 218, 122)
