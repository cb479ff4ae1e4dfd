"""The trunk of every kind of network against the network itself, layer by layer."""

import pytest
import torch
from torch import Tensor, nn

from glyphscope.activations import activations
from glyphscope.catalogue import network_spec
from glyphscope.errors import Cancelled, NotFound
from glyphscope.networks import Network, build
from glyphscope.visualise.trunk import Trunk

SHAPE = (1, 28, 28)
NETWORKS: dict[str, dict[str, object]] = {
    "mlp": {"units": [12], "dropout": 0.5, "batch_norm": True},
    "card-cnn": {"features": [6, 8], "units": 16},
    "cnn": {"features": [4, 6], "units": 12, "dropout_conv": 0.3},
    "fast-cnn": {"features": [6, 8], "units": 16},
    "residual-small": {"features": [4, 6], "blocks": [1, 2], "dropout": 0.3},
    "resnet": {"depth": 8, "features": [4, 6, 8]},
    "resnet50": {},
}


def network(name: str) -> Network:
    """With statistics of training that are not those of the start."""
    knobs = {**NETWORKS[name]}
    found = build(network_spec(name, SHAPE, 10, **knobs), seed=3)
    generator = torch.Generator().manual_seed(1)
    for module in found.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=generator).mul_(0.1)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return found.eval().requires_grad_(False)


def images(n: int = 2) -> Tensor:
    return torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(0))


def close(found: Tensor, expected: Tensor) -> None:
    size = float(expected.detach().abs().max()) or 1.0
    torch.testing.assert_close(found, expected, atol=1e-4 * size, rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_answers_as_in_the_network(name: str) -> None:
    whole, x = network(name), images()
    layers = [layer.name for layer in whole.layers]
    if name == "resnet50":
        layers = layers[:: len(layers) // 12]
    expected = activations(whole, x, layers)
    for layer in layers:
        [(heard, found)] = Trunk(whole, [layer])(x).items()
        assert heard == layer
        close(found, expected[layer])
        assert torch.equal(Trunk(whole, [layer], fold=False)(x)[layer], expected[layer])
    together = Trunk(whole, layers)(x)
    assert sorted(together) == sorted(layers)
    for layer in layers:
        close(together[layer], expected[layer])


@pytest.mark.parametrize("name", NETWORKS)
def test_some_units_alone_answer_and_pull_as_among_all(name: str) -> None:
    whole, units = network(name), [3, 0, 3]
    layers = [layer for layer in whole.layers if layer.kind not in ("flatten", "dropout")]
    if name == "resnet50":
        layers = layers[:: len(layers) // 6]
    for layer in layers:
        x = images().requires_grad_()
        full = Trunk(whole, [layer.name])(x)[layer.name][:, units]
        narrow = Trunk(whole, [layer.name]).narrow(units)
        if narrow is None:
            assert not layer.spatial or name == "resnet"  # its shortcuts add channels
            continue
        found = narrow(x)[layer.name]
        close(found, full)
        weights = torch.linspace(-1, 1, full.numel()).view(full.shape)
        gradients = [torch.autograd.grad((out * weights).sum(), x)[0] for out in (found, full)]
        close(*gradients)


def test_nothing_behind_the_wanted_layer_is_computed_and_nothing_is_changed() -> None:
    whole = network("residual-small").train()
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    ran: list[str] = []
    for info in whole.layers:
        module = whole.get_submodule(info.name)
        module.register_forward_pre_hook(lambda m, i, name=info.name: ran.append(name))
    Trunk(whole, ["block1.act1"], fold=False)(images())
    assert ran[-1] == "block1.act1"
    assert "pool1" not in ran
    Trunk(whole, ["logits"])(images())
    assert whole.training
    after = whole.state_dict()
    ignored = ("running_mean", "running_var", "num_batches_tracked")
    assert all(torch.equal(after[n], v) for n, v in before.items() if not n.endswith(ignored))


def test_an_unknown_layer_lists_the_known_ones() -> None:
    with pytest.raises(NotFound, match="known: conv1, act1"):
        Trunk(network("card-cnn"), ["conv9"])


def test_it_can_be_stopped_between_layers_forth_and_back() -> None:
    whole, x = network("residual-small"), images().requires_grad_()
    calls = 0

    def watch() -> None:
        nonlocal calls
        calls += 1
        if calls == last:
            raise Cancelled("enough")

    last = -1
    loss = Trunk(whole, ["logits"])(x, watch=watch)["logits"].sum()
    forth = calls
    torch.autograd.grad(loss, x)
    assert calls == 2 * forth
    for last in (3, forth + 2):
        calls = 0
        with pytest.raises(Cancelled):
            torch.autograd.grad(Trunk(whole, ["logits"])(x, watch=watch)["logits"].sum(), x)
        assert calls == last


def test_redirected_gradients_leave_living_units_alone() -> None:
    whole, x = network("card-cnn"), images().requires_grad_()
    trunk = Trunk(whole, ["act2"])
    both = [torch.autograd.grad(trunk(x, redirect=on)["act2"].sum(), x)[0] for on in (False, True)]
    assert torch.equal(*both)
