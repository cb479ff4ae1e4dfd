"""A recipe: everything that decides a training run, as one frozen object read from TOML.

load("mnist", ["fit.epochs=3"])     a shipped name, or a path, with single keys replaced
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from glyphscope.errors import InvalidRecipe, NotFound
from glyphscope.spec import Frozen

SHIPPED = Path(__file__).parent / "recipes"

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class SplitRecipe(Frozen):
    """``validation`` images are held out of training, the same ones for the same ``seed``."""

    validation: Annotated[int, Field(ge=1)] = 5000
    seed: int = 0


class NetworkRecipe(Frozen):
    """A network of the catalogue; every other key is one of its knobs."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = "residual-small"

    @property
    def knobs(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class OptimiserRecipe(Frozen):
    name: Literal["sgd", "adam", "adamw", "rmsprop"] = "adamw"
    learning_rate: Positive = 0.003
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    momentum: Share = 0.9
    nesterov: bool = True
    beta2: Share = 0.99


class ScheduleRecipe(Frozen):
    """``one-cycle``: linear up for ``warmup`` of the steps, then cosine to zero (Smith 2018)."""

    name: Literal["one-cycle", "constant"] = "one-cycle"
    warmup: Share = 0.2


class AugmentRecipe(Frozen):
    """Strength of each random change; 0 turns it off.

    ``shift`` in whole pixels, ``rotate`` and ``shear`` in degrees, ``scale`` as a share, ``erase``
    the probability that a rectangle is blanked (Zhong et al. 2017), ``flip`` that of a mirror
    image: only where that keeps the class, so never for digits and letters.
    """

    shift: Annotated[int, Field(ge=0, le=14)] = 0
    rotate: Annotated[float, Field(ge=0, le=180)] = 0
    scale: Share = 0
    shear: Annotated[float, Field(ge=0, le=60)] = 0
    erase: Annotated[float, Field(ge=0, le=1)] = 0
    flip: Annotated[float, Field(ge=0, le=1)] = 0


class FitRecipe(Frozen):
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 256
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    label_smoothing: Share = 0.0
    ema: Share = 0.0


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
