"""The part of a network that leads to some of its layers, as a function of its own.

    trunk = Trunk(network, ["out2"])
    trunk(x)                         {"out2": (N, C, H, W)}, with gradients to x

It only reads the network: no hook is set, no mode is changed, and any number of threads may run one
at the same time. Nothing behind the last of the layers is computed. As nobody looks at the layers
between, batch norms are folded into their convolutions, and a max pool comes before its rectifier.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from glyphscope.errors import NotFound
from glyphscope.networks import Network, ResidualBlock, Subsample
from glyphscope.visualise.redirect import redirected_relu

Named = Sequence[tuple[str, nn.Module]]


@dataclass(frozen=True)
class Pass:
    """One run of it. ``watch`` is called between layers, forth and back, and may raise."""

    heard: dict[str, Tensor]
    redirect: bool
    watch: Callable[[], None] | None

    def guard(self, output: Tensor) -> Tensor:
        watch = self.watch
        if watch is not None:
            watch()
            if output.requires_grad:
                output.register_hook(lambda _gradient: watch())
        return output


class Op:
    """A layer. ``kept(units)`` is the same for some of its output channels alone: None where that
    cannot be; ``narrows`` where it then takes all its input channels still."""

    narrows = False

    def __call__(self, x: Tensor, run: Pass) -> Tensor:
        raise NotImplementedError

    def kept(self, units: Tensor) -> "Op | None":
        return None


@dataclass
class Conv(Op):
    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    narrows = True

    def __call__(self, x: Tensor, run: Pass) -> Tensor:
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def kept(self, units: Tensor) -> Op:
        weight = self.weight[units].contiguous(memory_format=torch.channels_last)
        bias = None if self.bias is None else self.bias[units]
        return Conv(weight, bias, self.stride, self.padding)


@dataclass
class Each(Op):
    """A function that treats every channel by itself and alike."""

    module: nn.Module

    def __call__(self, x: Tensor, run: Pass) -> Tensor:
        output: Tensor = self.module(x)
        return output

    def kept(self, units: Tensor) -> Op:
        return self


@dataclass
class Rectifier(Op):
    """``over``: its input may be overwritten, as nobody else needs it."""

    over: bool

    def __call__(self, x: Tensor, run: Pass) -> Tensor:
        if run.redirect:
            return redirected_relu(x)
        return functional.relu_(x) if self.over else functional.relu(x)

    def kept(self, units: Tensor) -> Op:
        return self


@dataclass
class Whole(Op):
    """A layer that mixes channels: dense, flatten, a norm that could not be folded."""

    module: nn.Module

    def __call__(self, x: Tensor, run: Pass) -> Tensor:
        output: Tensor = self.module(x)
        return output


@dataclass
class Select(Op):
    units: Tensor
    narrows = True

    def __call__(self, x: Tensor, run: Pass) -> Tensor:
        return x[:, self.units]


@dataclass
class Chain(Op):
    """Layers one after the other, some of them heard by name."""

    ops: list[tuple[Op, str | None]] = field(default_factory=list)
    narrows = True

    def __call__(self, x: Tensor, run: Pass) -> Tensor:
        for op, name in self.ops:
            x = run.guard(op(x, run))
            if name is not None:
                run.heard[name] = x
        return x

    def kept(self, units: Tensor) -> "Chain | None":
        done: list[tuple[Op, str | None]] = []
        for i in reversed(range(len(self.ops))):
            op, name = self.ops[i]
            narrow = op.kept(units)
            if narrow is None:
                return None
            done.insert(0, (narrow, name))
            if op.narrows:
                return Chain(self.ops[:i] + done)
        return Chain([(Select(units), None), *done])


@dataclass
class Sum(Op):
    """A residual block; only looked into, and never summed up, where ``whole`` is false."""

    body: Chain
    shortcut: Chain
    whole: bool
    narrows = True

    def __call__(self, x: Tensor, run: Pass) -> Tensor:
        body, around = self.body(x, run), self.shortcut(x, run)
        return body + around if self.whole else body

    def kept(self, units: Tensor) -> Op | None:
        # Of a block that is only looked into, one branch has no layers.
        body = self.body.kept(units) if self.whole or self.body.ops else self.body
        around = self.shortcut.kept(units) if self.whole or self.shortcut.ops else self.shortcut
        return None if body is None or around is None else Sum(body, around, self.whole)


class Trunk:
    """``fold=False`` runs the very modules of the network, to the last bit."""

    def __init__(self, network: Network, layers: Iterable[str], *, fold: bool = True) -> None:
        wanted = frozenset(layers)
        known = [layer.name for layer in network.layers]
        for name in wanted.difference(known):
            raise NotFound("layer", name, known)
        self._one = len(wanted) == 1
        self._device = next((p.device for p in network.parameters()), torch.device("cpu"))
        self._chain = _Compiler(wanted, fold).chain(list(network.named_children()), whole=False)

    def narrow(self, units: Sequence[int]) -> "Trunk | None":
        """Of the one layer asked for, these units alone and in this order; what leads to no other
        is not computed. None where that cannot be. Shares all weights but the last."""
        chain = self._chain.kept(torch.tensor(units, device=self._device)) if self._one else None
        if chain is None:
            return None
        narrow = copy.copy(self)
        narrow._chain = chain
        return narrow

    def __call__(
        self, x: Tensor, *, redirect: bool = False, watch: Callable[[], None] | None = None
    ) -> dict[str, Tensor]:
        run = Pass({}, redirect, watch)
        self._chain(x, run)
        return run.heard


@dataclass(frozen=True)
class _Compiler:
    wanted: frozenset[str]
    fold: bool

    def chain(self, children: Named, *, whole: bool) -> Chain:
        """``whole``: its output is needed, and not only what is heard inside."""
        if not whole:
            last = max((i for i, (path, _) in enumerate(children) if self._heard(path)), default=-1)
            children = children[: last + 1]
        chain, i = Chain(), 0
        while i < len(children):
            i += self._add(chain, children, i, whole or i < len(children) - 1)
        return chain

    def _add(self, chain: Chain, children: Named, i: int, whole: bool) -> int:
        """Of the children from ``i`` on; returns how many were taken at once."""
        path, module = children[i]
        name, behind = children[i + 1] if i + 1 < len(children) else ("", None)
        if self.fold and path not in self.wanted:
            if isinstance(module, nn.Conv2d) and isinstance(behind, nn.BatchNorm2d):
                chain.ops.append((_folded(module, behind), self._name(name)))
                return 2
            if isinstance(module, nn.ReLU) and isinstance(behind, nn.MaxPool2d):
                chain.ops.append((Each(behind), None))
                chain.ops.append((Rectifier(over=True), self._name(name)))
                return 2
        chain.ops.append((self._op(path, module, chain, whole), self._name(path)))
        return 1

    def _op(self, path: str, module: nn.Module, before: Chain, whole: bool) -> Op:
        if isinstance(module, ResidualBlock):
            whole = whole or path in self.wanted
            inner = dict(module.named_children())
            around = _shortcut(f"{path}.shortcut", inner.pop("shortcut"))
            body = [(f"{path}.{name}", child) for name, child in inner.items()]
            return Sum(self.chain(body, whole=whole), self.chain(around, whole=whole), whole)
        mixing = (nn.Linear, nn.Flatten, nn.BatchNorm1d, nn.BatchNorm2d, Subsample)
        if not self.fold or isinstance(module, mixing):
            return Whole(module)
        if isinstance(module, nn.ReLU):
            free = bool(before.ops) and before.ops[-1][1] is None
            return Rectifier(free and isinstance(before.ops[-1][0], Conv | Sum))
        if isinstance(module, nn.Conv2d):
            return Conv(module.weight, module.bias, module.stride, module.padding)
        return Each(nn.Identity() if isinstance(module, nn.Dropout | nn.Dropout2d) else module)

    def _heard(self, path: str) -> bool:
        return path in self.wanted or any(name.startswith(path + ".") for name in self.wanted)

    def _name(self, path: str) -> str | None:
        return path if path in self.wanted else None


def _shortcut(path: str, module: nn.Module) -> Named:
    if isinstance(module, nn.Identity):
        return []
    if isinstance(module, nn.Sequential):
        return [(f"{path}.{name}", child) for name, child in module.named_children()]
    return [(path, module)]


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Conv:
    """One convolution that does what the two do with the statistics of training."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.weight is not None
    assert norm.bias is not None
    factor = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
    before = 0 if conv.bias is None else conv.bias.detach()
    kernel = (conv.weight.detach() * factor.view(-1, 1, 1, 1)).contiguous(
        memory_format=torch.channels_last
    )
    bias = (before - norm.running_mean) * factor + norm.bias.detach()
    return Conv(kernel, bias, conv.stride, conv.padding)
