"""Where weights start: a rule by its ``weight_rule``, drawn over a whole module.

RULES: dict[name, (weight, number) -> None]    fills one kernel or matrix in place

A rule other than "default" sets every bias to zero; batch norm keeps its ones and zeros.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import init

from glyphscope.weight_rule import parse

Rule = Callable[[Tensor, float], object]

RULES: dict[str, Rule] = {
    # He et al. 2015 (arXiv:1502.01852), equation 10: variance 2 / fan-in, for rectifiers.
    "he": lambda w, _: init.kaiming_normal_(w, nonlinearity="relu"),
    # Glorot and Bengio 2010, equation 16: uniform, variance 2 / (fan-in + fan-out).
    "glorot": lambda w, _: init.xavier_uniform_(w),
    "xavier": lambda w, _: init.xavier_uniform_(w),
    # LeCun et al. 1998, "Efficient BackProp", section 4.6: variance 1 / fan-in.
    "lecun": lambda w, _: init.kaiming_normal_(w, nonlinearity="linear"),
    # Saxe et al. 2014 (arXiv:1312.6120).
    "orthogonal": lambda w, _: init.orthogonal_(w),
    "zeros": lambda w, _: init.zeros_(w),
    "constant": init.constant_,
    "normal": lambda w, std: init.normal_(w, std=std),
    "uniform": lambda w, limit: init.uniform_(w, -limit, limit),
}
"""Beside these, "default" leaves what PyTorch draws: uniform, variance 1 / (3 fan-in)."""


def initialise(module: nn.Module, text: str) -> None:
    """Fill every convolution and dense layer inside ``module`` by the rule ``text``."""
    name, number = parse(text)
    if name == "default":
        return
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            RULES[name](layer.weight, number)
            if layer.bias is not None:
                init.zeros_(layer.bias)
