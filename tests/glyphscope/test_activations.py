import threading

import pytest
import torch
from torch import nn

from glyphscope.activations import activations, listen
from glyphscope.catalogue import network_spec
from glyphscope.errors import NotFound
from glyphscope.networks import Network, build


@pytest.fixture
def network() -> Network:
    return build(network_spec("residual-small", (1, 28, 28), 10, features=[4, 6, 8])).eval()


def hooks(network: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in network.modules())


def test_layers_give_what_the_modules_compute(network: Network) -> None:
    x = torch.rand(3, 1, 28, 28)
    found = activations(network, x, ["conv1", "block2.norm1", "logits"])
    torch.testing.assert_close(found["conv1"], network.get_submodule("conv1")(x))
    torch.testing.assert_close(found["logits"], network(x))
    assert found["block2.norm1"].shape == (3, 6, 14, 14)


def test_hooks_go_even_where_the_block_raises(network: Network) -> None:
    def run(channels: int) -> None:
        with listen(network, ["conv1"]):
            assert hooks(network) == 1
            network(torch.rand(1, channels, 28, 28))

    run(1)
    with pytest.raises(RuntimeError):
        run(3)
    assert hooks(network) == 0


def test_an_unknown_layer_leaves_no_hook_behind(network: Network) -> None:
    with pytest.raises(NotFound, match="known: conv1"):
        activations(network, torch.rand(1, 1, 28, 28), ["conv1", "conv9"])
    assert hooks(network) == 0


def test_threads_that_share_a_network_never_hear_each_other(network: Network) -> None:
    images = torch.rand(8, 1, 28, 28)
    expected = [network(x[None]) for x in images]
    together = threading.Barrier(len(images))
    wrong: list[int] = []

    def ask(i: int) -> None:
        with torch.inference_mode(), listen(network, ["logits"]) as heard:
            for _ in range(20):
                together.wait()
                network(images[i : i + 1])
                together.wait()
                if not torch.allclose(heard["logits"], expected[i], atol=1e-5):
                    wrong.append(i)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert hooks(network) == 0
