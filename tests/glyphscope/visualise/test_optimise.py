import torch

from glyphscope.checkpoint import Checkpoint
from glyphscope.visualise.optimise import hear


def test_nothing_behind_the_wanted_layer_is_computed(checkpoint: Checkpoint) -> None:
    ran: list[str] = []
    for info in checkpoint.network.layers:
        module = checkpoint.network.get_submodule(info.name)
        module.register_forward_hook(lambda m, i, o, name=info.name: ran.append(name))
    heard = hear(checkpoint.network, torch.rand(1, 1, 28, 28), ["conv1", "act1"])
    assert ran == ["conv1", "act1"]
    assert heard["conv1"].shape == (1, 6, 28, 28)
