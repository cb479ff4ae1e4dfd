import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional

from glyphscope.catalogue import CATALOGUE, network_spec
from glyphscope.errors import InvalidSpec
from glyphscope.networks import FUNCTIONS, build
from glyphscope.spec import (
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalPool,
    InputSpec,
    NetworkSpec,
    Pool,
    Residual,
    Subsample,
)

SHAPE = (1, 28, 28)


def spec(*layers: object) -> NetworkSpec:
    return NetworkSpec(input_shape=SHAPE, layers=layers)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_catalogue_network_survives_json_and_gives_logits(name: str) -> None:
    data = network_spec(name, (3, 32, 32), 47)
    again = NetworkSpec.model_validate_json(data.model_dump_json())
    assert again == data
    network = build(again).eval()
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 47)


@pytest.mark.parametrize("name", CATALOGUE)
def test_described_shapes_are_the_real_ones(name: str) -> None:
    network = build(network_spec(name, SHAPE, 10)).eval()
    real: dict[str, tuple[int, ...]] = {}
    for layer in network.layers:
        network.get_submodule(layer.name).register_forward_hook(
            lambda m, i, out, key=layer.name: real.__setitem__(key, tuple(out.shape[1:]))
        )
    network(torch.rand(1, *SHAPE))
    assert real == {layer.name: layer.output_shape for layer in network.layers}
    blocks = [layer for layer in network.layers if layer.kind == "residual"]
    total = sum(layer.parameters for layer in network.layers if layer not in blocks)
    assert total == sum(p.numel() for p in network.parameters())


def test_the_card_cnn_equals_its_textbook_form() -> None:
    network = build(network_spec("card-cnn", SHAPE, 10), seed=1).eval()
    p = dict(network.named_parameters())
    x = torch.rand(4, *SHAPE)
    h = functional.max_pool2d(
        functional.conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=2).relu(), 2
    )
    h = functional.max_pool2d(
        functional.conv2d(h, p["conv2.weight"], p["conv2.bias"], padding=2).relu(), 2
    )
    h = functional.linear(h.flatten(1), p["dense1.weight"], p["dense1.bias"]).relu()
    expected = functional.linear(h, p["logits.weight"], p["logits.bias"])
    assert [tuple(p[k].shape) for k in ("conv1.weight", "conv2.weight", "dense1.weight")] == [
        (32, 1, 5, 5),
        (64, 32, 5, 5),
        (1024, 64 * 7 * 7),
    ]
    assert torch.allclose(network(x), expected, atol=1e-5)


def test_a_residual_block_adds_its_input() -> None:
    same = spec(
        Residual(name="block", body=(Conv(name="conv", features=1),)),
        Flatten(name="flat"),
        Dense(name="logits", units=2),
    )
    network = build(same)
    x = torch.rand(3, *SHAPE)
    block = network.get_submodule("block")
    assert torch.equal(block(x), network.get_submodule("block.conv")(x) + x)


def test_a_residual_block_that_changes_shape_gets_a_projection() -> None:
    body = (Conv(name="conv", features=8, kernel=3, stride=2, padding=1),)
    network = build(
        spec(Residual(name="b", body=body), GlobalPool(name="pool"), Dense(name="l", units=2))
    )
    shortcut = network.get_submodule("b.shortcut")
    assert isinstance(shortcut, nn.Conv2d)
    assert shortcut.stride == (2, 2)
    assert "b.shortcut" in [layer.name for layer in network.layers]


def test_a_shortcut_of_its_own_layers_is_added_and_listed() -> None:
    body = (Conv(name="conv", features=8, stride=2, padding=1),)
    around = (
        Conv(name="conv", features=8, kernel=1, stride=2, padding=0, bias=False),
        BatchNorm(name="norm"),
    )
    tail = (GlobalPool(name="pool"), Dense(name="logits", units=2))
    network = build(spec(Residual(name="b", body=body, shortcut=around), *tail)).eval()
    block = network.get_submodule("b")
    x = torch.rand(2, *SHAPE)
    conv = network.get_parameter("b.shortcut.conv.weight")
    projected = functional.conv2d(x, conv, stride=2) / (1 + 1e-5) ** 0.5
    expected = network.get_submodule("b.conv")(x) + projected
    assert torch.allclose(block(x), expected, atol=1e-6)
    names = [layer.name for layer in network.layers]
    assert names[:4] == ["b.conv", "b.shortcut.conv", "b.shortcut.norm", "b"]


def test_a_shortcut_that_gives_another_shape_is_refused() -> None:
    around = (Conv(name="conv", features=3, kernel=1),)
    block = Residual(name="b", body=(Conv(name="conv", features=2),), shortcut=around)
    with pytest.raises(InvalidSpec, match=r"shortcut gives \(3, 28, 28\), the body \(2, 28, 28\)"):
        build(spec(block))


def test_subsampling_keeps_every_second_pixel_and_adds_empty_channels() -> None:
    layer = Subsample(name="s", features=3, stride=2)
    tail = (GlobalPool(name="pool"), Dense(name="logits", units=2))
    network = build(NetworkSpec(input_shape=(2, 5, 5), layers=(layer, *tail)))
    x = torch.rand(1, 2, 5, 5)
    out = network.get_submodule("s")(x)
    assert out.shape[1:] == network.layers[0].output_shape == (3, 3, 3)
    assert torch.equal(out[0, 1, 2, 1], x[0, 1, 4, 2])
    assert not out[:, 2].any()
    with pytest.raises(InvalidSpec, match="adds channels only: 1 are fewer than 2"):
        build(NetworkSpec(input_shape=(2, 5, 5), layers=(Subsample(name="s", features=1),)))


def test_padded_pooling_is_the_definitions() -> None:
    layers = (Pool(name="p", size=3, stride=2, padding=1), GlobalPool(name="g"))
    network = build(spec(*layers, Dense(name="l", units=2)))
    assert network.layers[0].output_shape == (1, 14, 14)
    x = torch.rand(1, *SHAPE)
    padded = functional.pad(x, (1, 1, 1, 1), value=-torch.inf)
    naive = torch.stack([padded[0, 0, 2 * i : 2 * i + 3, 4:7].max() for i in range(14)])
    assert torch.equal(network.get_submodule("p")(x)[0, 0, :, 2], naive)
    with pytest.raises(ValidationError, match="more than half the window of 2"):
        Pool(name="p", size=2, padding=2)


def test_later_fields_are_not_written_at_their_defaults() -> None:
    """Or the digests of checkpoints published before them would change."""
    pool = Pool(name="pool", size=2)
    block = Residual(name="block", body=(Conv(name="conv", features=1),))
    written = spec(pool, block).model_dump(mode="json")
    assert set(written) == {"name", "input_shape", "layers"}
    assert set(written["layers"][0]) == {"kind", "name", "mode", "size", "stride"}
    assert set(written["layers"][1]) == {"kind", "name", "body"}
    turned = spec(Pool(name="pool", size=2, padding=1)).model_copy(update={"init": "he"})
    assert NetworkSpec.model_validate_json(turned.model_dump_json()) == turned


def test_the_seed_decides_the_weights_and_leaves_the_global_generator_alone() -> None:
    data = network_spec("linear", SHAPE, 10)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    a, b, c = (build(data, seed=s).get_parameter("logits.weight") for s in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([Dense(name="d", units=3)], r"layer 'd' \(dense\): needs a flat input"),
        ([Flatten(name="f"), Conv(name="c", features=2)], r"layer 'c' \(conv\): needs channels"),
        ([Pool(name="p", size=31)], r"layer 'p' \(pool\): a window of 31 does not fit into 28x28"),
        ([Conv(name="c", features=2)], "must give one number a class"),
    ],
)
def test_what_does_not_fit_is_named(layers: list[object], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        build(spec(*layers))


def test_layer_names_are_unique_among_siblings_only() -> None:
    conv = Conv(name="conv", features=1)
    NetworkSpec(input_shape=SHAPE, layers=(conv, Residual(name="block", body=(conv,))))
    with pytest.raises(ValidationError, match="used twice: conv"):
        spec(conv, conv)
    with pytest.raises(ValidationError, match="used twice: shortcut"):
        spec(Residual(name="b", body=(Conv(name="shortcut", features=1),)))


def test_unknown_kinds_and_keys_are_refused() -> None:
    base = {"input_shape": SHAPE}
    with pytest.raises(ValidationError, match="lambda"):
        NetworkSpec.model_validate({**base, "layers": [{"kind": "lambda", "name": "x"}]})
    with pytest.raises(ValidationError, match="Extra inputs"):
        NetworkSpec.model_validate(
            {**base, "layers": [{"kind": "dense", "name": "x", "units": 2, "code": "1"}]}
        )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_activation_function_can_be_asked_for(function: str) -> None:
    network = build(network_spec("mlp", SHAPE, 3, units=[4], function=function))
    assert network.layers[2].kind == function


def test_mean_and_std_need_one_number_a_channel() -> None:
    with pytest.raises(ValidationError, match="3 number"):
        InputSpec(channels=3, mean=(0.5,), std=(0.5,))
