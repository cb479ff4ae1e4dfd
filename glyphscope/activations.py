"""What every layer answered: a context in which a network's layers are listened to.

    with listen(network, ["conv1", "act1"]) as heard:
        logits = network(x)
    heard["conv1"]                      # (N, C, H, W)

Hooks are removed whatever happens. They hear only the thread that opened the context, so requests
that share a network never see each other's activations.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from glyphscope.errors import NotFound
from glyphscope.networks import Network


@contextmanager
def listen(network: Network, layers: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Yields a dict that every forward pass inside fills anew, in the order the layers ran."""
    modules = {name: layer_module(network, name) for name in layers}
    me = threading.get_ident()
    heard: dict[str, Tensor] = {}

    def hook(name: str):  # type: ignore[no-untyped-def]
        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            if threading.get_ident() == me:
                heard[name] = output

        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def layer_module(network: Network, name: str) -> nn.Module:
    known = [layer.name for layer in network.layers]
    if name not in known:
        raise NotFound("layer", name, known)
    return network.get_submodule(name)


def activations(network: Network, x: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
    """One forward pass without gradients: layer -> (N, C, H, W) or (N, units)."""
    with torch.inference_mode(), listen(network, layers) as heard:
        network(x)
    return heard
