"""Reading a network off the graph that autograd keeps: what really ran, whatever the code says.

A node is linear (it multiplies by a weight), passes its input on (a view, a constant factor, batch
norm) or does something else, past which nothing is concluded.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Node = Any
"""torch.autograd.graph.Node; its fields depend on the operation."""

LINEAR = ("AddmmBackward", "MmBackward", "ConvolutionBackward", "LinearBackward")
NORM = (
    "NativeBatchNormBackward",
    "CudnnBatchNormBackward",
    "MiopenBatchNormBackward",
    "BatchNormBackward",
    "NativeLayerNormBackward",
    "NativeGroupNormBackward",
)
VIEW = (
    "ViewBackward",
    "UnsafeViewBackward",
    "ReshapeAliasBackward",
    "TBackward",
    "TransposeBackward",
    "PermuteBackward",
    "ToCopyBackward",
    "CloneBackward",
    "SqueezeBackward",
    "UnsqueezeBackward",
    "AliasBackward",
)
SCALE = (
    "MulBackward",  # dropout, or a constant: with one branch only
    "DivBackward",
    "NativeDropoutBackward",
    "FusedDropoutBackward",
    "AvgPool2DBackward",
    "AdaptiveAvgPool2DBackward",
    "MeanBackward",
)
ACTIVATION = {
    "SoftmaxBackward": "softmax",
    "SigmoidBackward": "sigmoid",
    "TanhBackward": "tanh",
    "ReluBackward": "relu",
    "LogSoftmaxBackward": "log_softmax",
}


@dataclass(frozen=True)
class Graph:
    """``leaves``: all parameters that get a gradient. ``rows``: pairs of weights with nothing but
    linear steps between, the earlier first. ``normed``: weights whose output is normalised next.
    ``output``: the weight nearest to the outputs. ``last``: what was done to its answer.
    ``input_normed``: the network begins by normalising what it is given."""

    leaves: tuple[Tensor, ...]
    rows: tuple[tuple[Tensor, Tensor], ...]
    normed: tuple[Tensor, ...]
    output: Tensor | None
    last: str
    input_normed: bool


def read(outputs: Tensor) -> Graph:
    nodes = list(_nodes(outputs.grad_fn))
    linear = [node for node in nodes if _is(node, LINEAR)]
    used = Counter(b for node in nodes for b, _ in node.next_functions if b is not None)
    rows = [
        (earlier, later)
        for node in linear
        if (later := _weight(node)) is not None
        for before in _linear_before(node, used)
        if (earlier := _weight(before)) is not None and _dense(before) and _dense(node)
    ]
    normed = [
        weight
        for node in nodes
        if _is(node, NORM) and node.next_functions[0][0] is not None
        for before in [_skip(node.next_functions[0][0])]
        if _is(before, LINEAR) and (weight := _weight(before)) is not None
    ]
    outer = next((w for node in linear if (w := _weight(node)) is not None), None)
    leaves = tuple(node.variable for node in nodes if hasattr(node, "variable"))
    at_start = any(_is(node, NORM) and node.next_functions[0][0] is None for node in nodes)
    return Graph(leaves, tuple(rows), tuple(normed), outer, last_step(outputs), at_start)


def last_step(outputs: Tensor) -> str:
    """ "softmax", "relu", ...: the activation function that made ``outputs``; else ""."""
    node = outputs.grad_fn
    if node is None:
        return ""
    name = _skip(node).name().rstrip("0123456789")
    return ACTIVATION.get(name, "")


def _nodes(root: Node) -> Iterator[Node]:
    """Breadth first, so what is nearer to the outputs comes first."""
    seen, queue = {root}, [root]
    for node in queue:
        if node is None:
            continue
        yield node
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                queue.append(following)


def _is(node: Node, names: tuple[str, ...]) -> bool:
    return node.name().rstrip("0123456789") in names


def _skip(node: Node) -> Node:
    """Past views, to the node that computed something."""
    while _is(node, VIEW) and node.next_functions and node.next_functions[0][0] is not None:
        node = node.next_functions[0][0]
    return node


def _weight(node: Node) -> Tensor | None:
    """The leaf of two or more dimensions that a linear node multiplies by."""
    for branch, _ in node.next_functions:
        leaf = _skip(branch) if branch is not None else None
        variable = getattr(leaf, "variable", None)
        if isinstance(variable, Tensor) and variable.dim() >= 2:
            return variable
    return None


def _dense(node: Node) -> bool:
    """Depthwise and 1x1 convolutions stand in linear pairs on purpose (Chollet 2017; Sandler et
    al. 2018), so only whole ones count."""
    if not _is(node, ("ConvolutionBackward",)):
        return True
    weight = _weight(node)
    kernel = 1 if weight is None else max(weight.shape[2:], default=1)
    return int(node._saved_groups) == 1 and kernel > 1


def _linear_before(node: Node, used: Counter[Node]) -> Iterator[Node]:
    """Linear nodes whose output reaches this one, and nothing else, through linear steps alone: a
    sum that is used elsewhere too, as in a residual network, is no mistake."""
    queue = _inputs(node)
    for before in queue:
        if used[before] > 1:
            continue
        if _is(before, LINEAR):
            yield before
        elif _is(before, (*VIEW, *SCALE)):
            branches = [b for b, _ in before.next_functions if b is not None]
            queue += branches if len(branches) == 1 else []
        elif _is(before, NORM) and before.next_functions[0][0] is not None:
            queue.append(before.next_functions[0][0])


def _inputs(node: Node) -> list[Node]:
    """Branches that lead to other computations, not to this node's own weight and bias."""
    branches = [branch for branch, _ in node.next_functions if branch is not None]
    return [branch for branch in branches if not hasattr(_skip(branch), "variable")]
