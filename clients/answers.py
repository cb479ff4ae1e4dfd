"""What the service answers, as frozen dataclasses. A field that a newer one adds is ignored.

read(kind, document)  ->  kind      raises ``ServiceFailed`` where it does not fit
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from pydantic import Base64Bytes, TypeAdapter, ValidationError

from clients.errors import ServiceFailed

T = TypeVar("T")


@dataclass(frozen=True)
class InputSize:
    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class BrokenVersion:
    """``version`` is None where the fault is the name's, not one version's."""

    version: int | None
    reason: str


@dataclass(frozen=True)
class Model:
    """``production`` is the version that the bare name means; what follows is known of that one.
    ``accuracy`` is that on ``n`` test images, in 0..1."""

    name: str
    versions: list[int]
    aliases: dict[str, int]
    production: int | None
    dataset: str | None = None
    labels: tuple[str, ...] = ()
    accuracy: float | None = None
    n: int | None = None
    split: str | None = None
    input: InputSize | None = None
    broken: tuple[BrokenVersion, ...] = ()


@dataclass(frozen=True)
class Layer:
    """``output_shape`` is (channels, height, width) or (units,). ``activations`` and ``maximise``:
    what it can be asked for."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    units: int
    spatial: bool
    parameters: int
    activations: bool
    maximise: bool


@dataclass(frozen=True)
class Candidate:
    label: str
    index: int
    probability: float


@dataclass(frozen=True)
class SeenImage:
    """The image as the network sees it; ``png`` are the bytes of a PNG file."""

    width: int
    height: int
    channels: int
    png: Base64Bytes


@dataclass(frozen=True)
class Prediction:
    """``top`` falls in probability. ``in_distribution`` is False for an image that looks like none
    of the classes, and None where the model cannot tell."""

    label: str
    index: int
    confidence: float
    top: tuple[Candidate, ...]
    in_distribution: bool | None
    energy: float
    input: SeenImage | None = None


@dataclass(frozen=True)
class LayerStatistics:
    """Each statistic by image and unit, over a channel's positions; None is no finite number."""

    name: str
    output_shape: tuple[int, ...]
    min: list[list[float | None]]
    max: list[list[float | None]]
    mean: list[list[float | None]]
    std: list[list[float | None]]


@dataclass(frozen=True)
class NearestImage:
    """Of the test set; ``image`` is its path at the service, where the model has its pixels."""

    index: int
    label: str
    image: str | None = None


@dataclass(frozen=True)
class Score:
    """Whether a picture can be believed. ``r``: where its activation lies over the test set, 0 the
    median and 1 the highest; ``ratio``: over the highest. The others are multiples of what is usual
    in the unit's own best test images."""

    r: float | None = None
    ratio: float | None = None
    high_frequency: float | None = None
    total_variation: float | None = None
    nearest: NearestImage | None = None


@dataclass(frozen=True)
class UnitImage:
    """``activation`` is the unit's on its picture, ``dataset_max`` its highest on the test set.
    ``image`` is the path of the picture at the service, ``film`` that of the way to it."""

    unit: int
    activation: float | None
    dataset_max: float | None
    dead: bool
    image: str
    film: str | None = None
    score: Score = Score()


@dataclass(frozen=True)
class Maximisation:
    """``objective`` is a name, or the terms of a sum. ``position`` counts the queued jobs that come
    before it; ``frames`` are the steps that films and animation show."""

    id: str
    model: str
    version: int
    layer: str
    objective: str | list[dict[str, Any]]
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    step: int
    steps: int
    error: str | None
    request: dict[str, Any]
    results: tuple[UnitImage, ...]
    position: int | None = None
    grid: str | None = None
    animation: str | None = None
    frames: tuple[int, ...] = ()

    @property
    def finished(self) -> bool:
        return self.status in ("done", "failed", "cancelled")


def read(kind: type[T], document: Any) -> T:
    key: Any = kind  # mypy: a class of an unknown type counts as unhashable
    try:
        found: T = _adapter(key).validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ServiceFailed(
            f"the service's answer is not understood: {where}: {first['msg']}"
        ) from None
    return found


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
