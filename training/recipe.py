"""A recipe: everything that decides a training run, as one frozen object read from TOML.

load("mnist", ["fit.epochs=3"])     a shipped name, or a path, with single keys replaced
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from glyphscope.errors import InvalidRecipe, NotFound
from glyphscope.spec import Frozen

SHIPPED = Path(__file__).parent / "recipes"

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0)]


def _count_or_share(value: float) -> float:
    if value < 1:
        return value
    if value != int(value):
        raise PydanticCustomError("count", "must be a whole number of images or a share below 1")
    return int(value)


# The serialiser keeps a count an int, so that it reads back as it was written.
CountOrShare = Annotated[
    float, Field(gt=0), AfterValidator(_count_or_share), PlainSerializer(lambda value: value)
]


class SplitRecipe(Frozen):
    """``validation`` images, or that share of them if below 1, are held out of training: the same
    ones for the same ``seed``. ``train``: train on so many of the rest, not on all of them."""

    validation: CountOrShare = 5000
    train: Annotated[int, Field(ge=1)] | None = None
    seed: int = 0


class NetworkRecipe(Frozen):
    """A network of the catalogue; every other key is one of its knobs."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = "residual-small"

    @property
    def knobs(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class DecayRecipe(Frozen):
    """Weight decay by kind of layer, where it is not ``optimiser.weight_decay``; ``logits`` is the
    last dense layer. Biases and batch norm have none."""

    conv: NotNegative | None = None
    dense: NotNegative | None = None
    logits: NotNegative | None = None


class OptimiserRecipe(Frozen):
    """``momentum`` is Adam's beta1 too, ``beta2`` also RMSprop's smoothing.

    What ``weight_decay`` w means depends on the optimiser. sgd, adam and rmsprop add w / 2 * |W|^2
    to the loss, so its gradient w * W goes through momentum and scaling; Keras's l2(x) adds
    x * |W|^2, which is w = 2x. adamw and muon shrink W by learning_rate * w a step, beside the
    gradient (Loshchilov and Hutter 2019, arXiv:1711.05101).
    """

    name: Literal["sgd", "adam", "adamw", "rmsprop", "muon"] = "adamw"
    learning_rate: Positive = 0.003
    weight_decay: NotNegative = 0.01
    decay: DecayRecipe = DecayRecipe()
    momentum: Share = 0.9
    nesterov: bool = True
    beta2: Share = 0.99
    epsilon: Positive = 1e-8


class ScheduleRecipe(Frozen):
    """What the learning rate is multiplied by, see ``training.schedules``.

    ``warmup`` is the share of the steps on which it rises: 0.2 for one-cycle unless given, 0 for
    all others. ``final``: the factor at the end of exponential, cosine and linear. ``milestones``:
    shares of the training after each of which step multiplies by ``gamma``.
    """

    name: Literal["one-cycle", "constant", "cosine", "linear", "step", "exponential"] = "one-cycle"
    warmup: Share | None = None
    final: Annotated[float, Field(ge=0, le=1)] | None = None
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.5, 0.75)
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1


class AugmentRecipe(Frozen):
    """Strength of each random change; 0 turns it off.

    ``shift`` in whole pixels, ``rotate`` and ``shear`` in degrees, ``scale`` as a share, ``erase``
    the probability that a rectangle is blanked (Zhong et al. 2017), ``flip`` that of a mirror
    image: only where that keeps the class, so never for digits and letters.

    ``elastic`` and ``elastic_sigma`` are alpha and sigma of Simard et al. 2003, both in pixels: how
    far a random field, smoothed over sigma, moves each pixel (they took 34 and 4 for 29x29).
    ``thickness``: strokes grow or shrink by up to this share of a pixel on each side.
    ``border``: what moves in from outside the frame, as ``torch.nn.functional.grid_sample`` names
    it: zeros for ink on a dark ground, reflection for photographs.
    """

    shift: Annotated[int, Field(ge=0, le=14)] = 0
    rotate: Annotated[float, Field(ge=0, le=180)] = 0
    scale: Share = 0
    shear: Annotated[float, Field(ge=0, le=60)] = 0
    erase: Annotated[float, Field(ge=0, le=1)] = 0
    flip: Annotated[float, Field(ge=0, le=1)] = 0
    elastic: Annotated[float, Field(ge=0, le=500)] = 0
    elastic_sigma: Annotated[float, Field(gt=0, le=50)] = 4
    thickness: Annotated[float, Field(ge=0, le=1)] = 0
    border: Literal["zeros", "border", "reflection"] = "zeros"


def _listed(value: Any) -> Any:
    """``--set order.pipeline=shuffle,batch,repeat`` needs no quotes."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _once_and_batch(value: tuple[str, ...]) -> tuple[str, ...]:
    if "batch" not in value or len(set(value)) < len(value):
        raise PydanticCustomError("pipeline", "must hold batch, and no stage twice")
    return value


Pipeline = Annotated[
    tuple[Literal["shuffle", "batch", "repeat"], ...],
    BeforeValidator(_listed),
    AfterValidator(_once_and_batch),
]


class OrderRecipe(Frozen):
    """``pipeline``: stages as in tf.data, see ``training.order``; None draws a full permutation an
    epoch. ``buffer`` is shuffle's. ``by_class`` sorts the training images by class beforehand, as
    they often lie on disk, so that a weak shuffle shows."""

    pipeline: Pipeline | None = None
    buffer: Annotated[int, Field(ge=1)] = 1000
    by_class: bool = False


class FitRecipe(Frozen):
    """``ema``: decay a step of the moving average of the weights, which is then what is judged and
    kept; 0 keeps none.

    ``patience``: stop after so many epochs without a better validation accuracy; 0 never stops
    early. Meant for a constant schedule: the others do their best only at their end.
    ``snapshots``: keep the weights before the first epoch and after every n-th (true: after each).
    ``compile``: the network through ``torch.compile``. It is slow to start and meant for GPUs: on a
    CPU a step of fast-cnn took 45 ms with it and 25 without (bfloat16, one core, n = 6).
    ``deterministic``: only algorithms that repeat to the bit on the same machine; on a GPU slower.
    ``tensorboard``: scalars, histograms and pictures in the run's folder, for TensorBoard.
    ``strangers``: beside each batch a share of it as images of no class, ``training.exposure``.
    """

    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 256
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    label_smoothing: Share = 0.0
    strangers: Share = 0.0
    ema: Share = 0.0
    patience: Annotated[int, Field(ge=0)] = 0
    snapshots: Annotated[int, Field(ge=0)] = 0
    compile: bool = False
    deterministic: bool = False
    tensorboard: bool = False


class Recipe(Frozen):
    name: str
    dataset: str
    test: str | None = Field(
        None, description="data set whose test split is read; default: dataset"
    )
    publish: str | None = Field(None, description="name in the store; default: name")
    seed: int = 0
    split: SplitRecipe = SplitRecipe()
    network: NetworkRecipe = NetworkRecipe()
    optimiser: OptimiserRecipe = OptimiserRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    augment: AugmentRecipe = AugmentRecipe()
    order: OrderRecipe = OrderRecipe()
    fit: FitRecipe = FitRecipe()


def shipped() -> list[str]:
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(name_or_path: str, changes: list[str] | None = None) -> Recipe:
    """Read a shipped recipe by name or a TOML file by path, then apply ``key=value`` changes."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = SHIPPED / f"{name_or_path}.toml"
        if name_or_path not in shipped():
            raise NotFound("recipe", name_or_path, [*shipped(), "or a path ending in .toml"])
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise InvalidRecipe(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidRecipe(f"{path}: {error}") from None
    values.setdefault("name", path.stem)
    for change in changes or []:
        _apply(values, change)
    return parse(values)


def parse(values: dict[str, Any]) -> Recipe:
    """Raises ``InvalidRecipe`` that names the key and, where it is unknown, the known ones."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise InvalidRecipe("; ".join(_explain(e) for e in error.errors())) from None


def _apply(values: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise InvalidRecipe(f"--set takes key=value, such as fit.epochs=3, not {change!r}")
    *tables, last = key.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise InvalidRecipe(f"--set {change}: {table} is a value, not a table")
    values[last] = _value(text.strip())


def _value(text: str) -> Any:
    """A TOML value; what is none is taken as a string, so that names need no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{where}: {error['msg']}, not {error['input']!r}"
    owner: type[Frozen] = Recipe
    for part in error["loc"][:-1]:
        owner = type(owner.model_fields[str(part)].default)
    return f"unknown key {where!r}; known here: {', '.join(owner.model_fields)}"
