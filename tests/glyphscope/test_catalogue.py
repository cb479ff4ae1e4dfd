import pytest

from glyphscope.catalogue import CATALOGUE, knobs, network_spec
from glyphscope.errors import InvalidSpec, NotFound
from glyphscope.networks import build

SHAPE = (1, 28, 28)


def test_unknown_networks_and_knobs_fail_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="known: linear, mlp, card-cnn, cnn, fast-cnn, residual"):
        network_spec("vgg", SHAPE, 10)
    with pytest.raises(NotFound, match="known: features, kernel, stride, padding"):
        network_spec("card-cnn", SHAPE, 10, filters=3)
    with pytest.raises(NotFound, match="known: init"):
        network_spec("linear", SHAPE, 10, units=3)


@pytest.mark.parametrize(
    ("knob", "value", "said"),
    [
        ("kernel", 0, "kernel: Input should be greater than or equal to 1"),
        ("kernel", [3], "kernel needs one number, or one a stage: 2, not 1"),
        ("padding", "full", "padding: Input should be 'same' or 'valid'"),
        ("pool", "min", "pool: Input should be 'max', 'average' or 'none', not 'min'"),
        ("pool_size", 40, "pool_size: Input should be less than or equal to 31, not 40"),
        ("pool_padding", 2, "padding 2 is more than half the window of 2"),
        ("dropout", 1.0, "dropout: Input should be less than 1, not 1.0"),
        ("batch_norm", "perhaps", "batch_norm: Input should be a valid boolean"),
        ("function", "step", "function: Input should be 'relu', 'leaky_relu'"),
        ("units", [8, "many"], "units: Input should be a valid integer"),
        ("init", "he:2", "unknown weight initialisation 'he:2'; known: default, he, glorot"),
    ],
)
def test_a_wrong_value_names_its_knob_and_what_is_allowed(
    knob: str, value: object, said: str
) -> None:
    with pytest.raises(InvalidSpec) as caught:
        network_spec("card-cnn", SHAPE, 10, **{knob: value})
    assert str(caught.value).startswith("network card-cnn: ")
    assert said in str(caught.value)


def test_no_is_no_when_it_comes_from_a_command_line() -> None:
    assert network_spec("cnn", SHAPE, 10, batch_norm="no") == network_spec(
        "cnn", SHAPE, 10, batch_norm=False
    )


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_knob_is_taken_at_its_default(name: str) -> None:
    turned = network_spec(name, (3, 32, 32), 10, **knobs(name))
    assert turned == network_spec(name, (3, 32, 32), 10)
    assert turned.name == name


def test_init_is_a_knob_of_every_network() -> None:
    network = build(network_spec("linear", SHAPE, 10, init="constant:0.25"))
    assert (network.get_parameter("logits.weight") == 0.25).all()
    assert not network.get_parameter("logits.bias").any()
