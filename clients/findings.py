"""What the microscope answers, as frozen dataclasses. A field that is new to them is ignored."""

from dataclasses import dataclass

from pydantic import Base64Bytes


@dataclass(frozen=True)
class UnitStatistics:
    """Over the test set; of a feature map the highest position of an image counts. ``active``:
    share of the images on which it is above 0."""

    unit: int
    lowest: float
    highest: float
    mean: float
    std: float
    median: float
    active: float
    dead: bool
    quantiles: dict[str, float]
    class_means: tuple[float, ...]


@dataclass(frozen=True)
class CarriedImage:
    """``image``: the path of its picture at the service."""

    index: int
    label: str
    answer: str
    confidence: float
    image: str


@dataclass(frozen=True)
class Field:
    """What a unit sees of an image, in pixels; bottom and right are just outside. It may reach
    over the edge."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Example:
    """``position``: row and column on the layer's map. What is told of the image is None where the
    version does not carry it."""

    index: int
    activation: float
    position: tuple[int, int] | None
    field: Field | None
    label: str | None = None
    answer: str | None = None
    image: str | None = None


@dataclass(frozen=True)
class Method:
    name: str
    title: str
    about: str
    source: str


@dataclass(frozen=True)
class Class:
    label: str
    index: int


@dataclass(frozen=True)
class Attribution:
    """``map``: rows of numbers, above 0 where a pixel speaks for ``target``."""

    target: Class
    map: list[list[float]]
    scores: dict[str, float | None]


@dataclass(frozen=True)
class Embedding:
    """Columns, one entry a test image: place within -1..1, class numbers, place in the split."""

    labels: tuple[str, ...]
    x: list[float]
    y: list[float]
    label: list[int]
    answer: list[int]
    index: list[int]


@dataclass(frozen=True)
class Neighbour:
    index: int
    label: str
    answer: str
    distance: float
    image: str | None


@dataclass(frozen=True)
class Place:
    x: float
    y: float
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True)
class UnitDifference:
    """``effect``: the distance of two means, in standard deviations."""

    layer: str
    unit: int
    first: float
    second: float
    effect: float


@dataclass(frozen=True)
class Confusion:
    truth: Class
    answer: Class
    count: int
    examples: tuple[CarriedImage, ...]
    units: tuple[UnitDifference, ...]
    between: tuple[UnitDifference, ...]


@dataclass(frozen=True)
class Answered:
    """``png``: the image as the network sees it."""

    label: str
    index: int
    confidence: float
    png: Base64Bytes


@dataclass(frozen=True)
class Adversarial:
    """``levels``: the largest change of a pixel, of 255; ``change``: of each, as shares of 255."""

    fooled: bool
    levels: int
    before: Answered
    after: Answered
    change: list[list[float]]


@dataclass(frozen=True)
class DrivingImage(CarriedImage):
    activation: float


@dataclass(frozen=True)
class EvolutionStage:
    """``epoch``: 0 is before the first step, None is as published. ``likeness``: cosine of the
    unit's weights with the published ones. ``class_means`` are None of a class without images."""

    epoch: int | None
    likeness: float | None
    mean: float
    highest: float
    class_means: tuple[float | None, ...]
    top: tuple[DrivingImage, ...]


@dataclass(frozen=True)
class Evolution:
    """A unit over its network's training; ``images``: test images that it was shown."""

    layer: str
    unit: int
    labels: tuple[str, ...]
    images: int
    stages: tuple[EvolutionStage, ...]


@dataclass(frozen=True)
class UnitMatch:
    unit: int
    partner: int
    correlation: float


@dataclass(frozen=True)
class LayerMatch:
    """Two layers, the second the most like the first (linear CKA), and each unit's most alike."""

    first: str
    second: str
    cka: float
    matches: tuple[UnitMatch, ...]


@dataclass(frozen=True)
class Comparison:
    """``agreement``: share of the images that both versions answer alike."""

    first: str
    second: str
    images: int
    agreement: float
    layers: tuple[LayerMatch, ...]
