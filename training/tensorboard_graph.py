"""A network's description as TensorBoard's graph: a node a layer, a box a residual block.

Written from the description and not from a trace: the names are the user's, and no tensor
bookkeeping stands between them.
"""

import importlib
from typing import Any

from glyphscope.networks import LayerInfo, Network
from glyphscope.spec import LayerSpec, Residual, Shape


def write(writer: Any, network: Network) -> None:
    event = _message("event_pb2", "Event")
    writer.file_writer.add_event(event(graph_def=graph(network).SerializeToString()))


def graph(network: Network) -> Any:
    """A ``GraphDef``. Edges carry the output's shape, nodes their number of parameters."""
    found = _message("graph_pb2", "GraphDef")()
    found.versions.producer = 22  # what PyTorch's own graphs say
    _node(found, "input", "input", [], network.spec.input_shape)
    layers = {layer.name: layer for layer in network.layers}
    _chain(found, network.spec.layers, "input", "", layers)
    return found


def _chain(
    found: Any, specs: tuple[LayerSpec, ...], before: str, prefix: str, layers: dict[str, LayerInfo]
) -> str:
    """Adds the layers one behind the other; gives the last node's name."""
    for spec in specs:
        path = prefix + spec.name
        if isinstance(spec, Residual):
            before = _residual(found, spec, before, path, layers)
        else:
            before = _layer(found, layers[path], [before])
    return before


def _residual(
    found: Any, spec: Residual, before: str, path: str, layers: dict[str, LayerInfo]
) -> str:
    body = _chain(found, spec.body, before, f"{path}.", layers)
    shortcut = layers.get(f"{path}.shortcut")
    straight = _layer(found, shortcut, [before]) if shortcut else before
    name = f"{path.replace('.', '/')}/sum"
    _node(found, name, "add", [body, straight], layers[path].output_shape)
    return name


def _layer(found: Any, layer: LayerInfo, inputs: list[str]) -> str:
    name = layer.name.replace(".", "/")
    _node(found, name, layer.kind, inputs, layer.output_shape, layer.parameters)
    return name


def _node(
    found: Any, name: str, kind: str, inputs: list[str], shape: Shape, parameters: int = 0
) -> None:
    node = found.node.add(name=name, op=kind, input=inputs)
    node.attr["parameters"].i = parameters
    sizes = node.attr["_output_shapes"].list.shape.add().dim
    for size in (-1, *shape):
        sizes.add(size=size)


def _message(file: str, name: str) -> Any:
    """One of TensorBoard's protocol buffers, loaded only where TensorBoard is wanted."""
    return getattr(importlib.import_module(f"tensorboard.compat.proto.{file}"), name)
