"""Networks, inputs and labels as plain data: frozen, validated, written to JSON beside the weights.

    NetworkSpec = input shape + a list of LayerSpec     what ``networks.build`` turns into a module
    InputSpec   = size, channels, preprocessing, mean, std
    LabelSet    = class names, by index

An unknown key or kind fails, so a manifest from a newer Glyphscope is refused rather than misread.
"""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from glyphscope import weight_rule

Shape = tuple[int, ...]
"""Without the batch: (channels, height, width) or (units,)."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Count = Annotated[int, Field(ge=1, le=65536)]
Side = Annotated[int, Field(ge=1, le=31)]
"""Of a window that slides, in pixels."""
Margin = Annotated[int, Field(ge=0, le=31)]
Rate = Annotated[float, Field(ge=0, lt=1)]

ActivationFunction = Literal[
    "relu", "leaky_relu", "elu", "gelu", "silu", "mish", "softplus", "sigmoid", "tanh", "identity"
]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _is_zero(value: int) -> bool:
    return value == 0


def _is_none(value: object) -> bool:
    return value is None


def _is_default(value: str) -> bool:
    return value == "default"


class Conv(Frozen):
    """2-D convolution. ``padding`` is in pixels; "same" keeps height and width (stride 1 only)."""

    kind: Literal["conv"] = "conv"
    name: Name
    features: Count
    kernel: Side = 3
    stride: Side = 1
    padding: Literal["same"] | Margin = "same"
    bias: bool = True

    @model_validator(mode="after")
    def _same_needs_stride_one(self) -> Self:
        if self.padding == "same" and self.stride != 1:
            raise ValueError('padding "same" needs stride 1; give the padding in pixels')
        return self


class Dense(Frozen):
    """Fully connected. Takes a flat input: put a ``flatten`` or ``global_pool`` before it."""

    kind: Literal["dense"] = "dense"
    name: Name
    units: Count
    bias: bool = True


class Activation(Frozen):
    kind: Literal["activation"] = "activation"
    name: Name
    function: ActivationFunction = "relu"


class Pool(Frozen):
    """Max or average pooling. ``stride`` is the window's size where it is not given.

    ``padding`` in pixels, at most half the window; an average counts padded pixels as 0.
    """

    kind: Literal["pool"] = "pool"
    name: Name
    mode: Literal["max", "average"] = "max"
    size: Side = 2
    stride: Side | None = None
    # Left out of the JSON at its default, as every later addition here, so that the manifests and
    # digests of checkpoints published before it stay what they were.
    padding: Annotated[Margin, Field(exclude_if=_is_zero)] = 0

    @model_validator(mode="after")
    def _padding_is_at_most_half(self) -> Self:
        if self.padding > self.size // 2:
            raise ValueError(f"padding {self.padding} is more than half the window of {self.size}")
        return self


class Subsample(Frozen):
    """Every ``stride``-th pixel, and channels of zeros behind its own up to ``features``.

    The shortcut without parameters, option A of He et al. 2015 (arXiv:1512.03385), section 3.3.
    """

    kind: Literal["subsample"] = "subsample"
    name: Name
    features: Count
    stride: Side = 1


class GlobalPool(Frozen):
    """One number a channel: (C, H, W) becomes (C,)."""

    kind: Literal["global_pool"] = "global_pool"
    name: Name
    mode: Literal["max", "average"] = "average"


class BatchNorm(Frozen):
    kind: Literal["batch_norm"] = "batch_norm"
    name: Name


class Dropout(Frozen):
    """Drops single values; with ``channels`` set, whole feature maps."""

    kind: Literal["dropout"] = "dropout"
    name: Name
    rate: Rate = 0.5
    channels: bool = False


class Flatten(Frozen):
    kind: Literal["flatten"] = "flatten"
    name: Name


class Residual(Frozen):
    """``body(x) + shortcut(x)``: the layers of ``shortcut``, "block.shortcut.conv" and so on.

    Without them it is x, or a 1x1 convolution where shapes differ. He et al. 2015
    (arXiv:1512.03385), section 3.2; no function after the sum, so put one behind it.
    """

    kind: Literal["residual"] = "residual"
    name: Name
    body: Annotated[tuple["LayerSpec", ...], Field(min_length=1)]
    shortcut: Annotated[
        tuple["LayerSpec", ...] | None, Field(min_length=1, exclude_if=_is_none)
    ] = None


LayerSpec = Annotated[
    Conv
    | Dense
    | Activation
    | Pool
    | Subsample
    | GlobalPool
    | BatchNorm
    | Dropout
    | Flatten
    | Residual,
    Field(discriminator="kind"),
]


class NetworkSpec(Frozen):
    """A network as data. ``input_shape`` is (channels, height, width); the last gives logits.

    ``init`` is what kernels and matrices are drawn from before training, see ``weight_rule.py``.
    """

    name: str = "custom"
    input_shape: tuple[Count, Count, Count]
    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=1)]
    init: Annotated[str, AfterValidator(weight_rule.checked), Field(exclude_if=_is_default)] = (
        "default"
    )

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for scope in _scopes(self.layers):
            twice = [name for name, n in Counter(scope).items() if n > 1]
            if twice:
                raise ValueError(f"layer names used twice: {', '.join(sorted(twice))}")
        return self


def _scopes(layers: tuple[LayerSpec, ...]) -> list[list[str]]:
    """Names need to differ among siblings only: a layer is named by its path ("block1.conv1")."""
    scopes = [[layer.name for layer in layers]]
    for layer in layers:
        if isinstance(layer, Residual):
            inner = _scopes(layer.body)
            inner[0].append("shortcut")
            scopes += inner + _scopes(layer.shortcut or ())
    return scopes


class InputSpec(Frozen):
    """What one image must become before the network sees it.

    ``preprocessing`` names a recipe of ``preprocess.PREPROCESSING``. ``mean`` and ``std`` are per
    channel, over pixels in 0..1. Ink is light on a dark ground in every data set served here.
    """

    channels: Literal[1, 3] = 1
    height: Annotated[int, Field(ge=4, le=1024)] = 28
    width: Annotated[int, Field(ge=4, le=1024)] = 28
    polarity: Literal["light-on-dark"] = "light-on-dark"
    preprocessing: str = "mnist"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[Annotated[float, Field(gt=0)], ...] = (1.0,)

    @model_validator(mode="after")
    def _one_number_a_channel(self) -> Self:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} number(s), one a channel")
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width


class LabelSet(Frozen):
    """Class names by index."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        if len(set(self.names)) != len(self.names):
            raise ValueError("two classes have the same name")
        return self

    def __len__(self) -> int:
        return len(self.names)


Residual.model_rebuild()
NetworkSpec.model_rebuild()
