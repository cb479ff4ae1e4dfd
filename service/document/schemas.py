"""The shapes of answers, for the OpenAPI document.

Routes write JSON themselves; the tests hold every answer against these.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Input(Shape):
    """Exactly one of the three."""

    image: str = Field("", description="the bytes of a PNG, JPEG or WebP in base64")
    pixels: list[list[float]] = Field([], description="rows; integers 0..255 or fractions 0..1")
    strokes: list[list[list[float]]] = Field(
        [], description="pen strokes, each a list of [x, y], y down, in any unit"
    )


class Inputs(Shape):
    inputs: list[Input]


class BrokenVersion(Shape):
    version: int | None = Field(description="null where the aliases cannot be read")
    reason: str


class HeldAlias(Shape):
    alias: str
    wanted: int = Field(description="the version that the alias names")
    serving: int = Field(description="the version that answers meanwhile")
    reason: str


class Share(Shape):
    to: str = Field(description="a version or an alias")
    percent: float


class Rollout(Shape):
    canary: Share | None
    shadow: Share | None
    pinned: list[int] = Field(description="versions that are never dropped from memory")
    unloaded: list[int] = Field(description="versions that are not served")


class ModelInput(Shape):
    channels: int
    height: int
    width: int


class Model(Shape):
    name: str
    versions: list[int]
    aliases: dict[str, int]
    production: int | None
    dataset: str | None
    labels: list[str]
    accuracy: float | None = Field(description="on the test set, by `split` and `n`")
    n: int | None
    split: str | None
    input: ModelInput | None
    serving: dict[str, int] = Field(description="by alias: the version that answers")
    held: list[HeldAlias] = Field(description="aliases whose version does not serve (yet)")
    rollout: Rollout
    broken: list[BrokenVersion]


class Models(Shape):
    models: list[Model]


class Layer(Shape):
    name: str
    kind: str
    output_shape: list[int] = Field(description="(channels, height, width) or (units)")
    units: int
    spatial: bool
    parameters: int
    kernel: list[int] | None = Field(
        description="(inputs, height, width) of a unit's weights as a picture; null without"
    )
    activations: bool = Field(description="whether its activations can be asked for")
    maximise: bool = Field(description="whether its units can be maximised")


class Layers(Shape):
    model: str
    version: int
    epochs: list[int] = Field(description="of its training, whose weights the version carries")
    layers: list[Layer]


class Candidate(Shape):
    label: str
    index: int
    probability: float


class SeenInput(Shape):
    width: int
    height: int
    channels: int
    png: str = Field(description="base64")


class Prediction(Shape):
    label: str
    index: int
    confidence: float
    top: list[Candidate]
    in_distribution: bool | None
    energy: float = Field(description="higher is stranger (Liu et al. 2020)")
    input: SeenInput | None = None


class Predictions(Shape):
    model: str
    version: int
    predictions: list[Prediction]


class LayerActivations(Shape):
    """With `values=maps`, `maps` alone; otherwise a number a unit and image for each statistic."""

    name: str
    output_shape: list[int]
    min: list[list[float]] | None = None
    max: list[list[float]] | None = None
    mean: list[list[float]] | None = None
    std: list[list[float]] | None = None
    maps: list[Any] | None = None


class Activations(Shape):
    model: str
    version: int
    layers: list[LayerActivations]


class NearestImage(Shape):
    index: int = Field(description="in the test set")
    label: str
    image: str | None = Field(description="null where the version does not have its pixels")


class PictureScore(Shape):
    """Whether the picture can be believed; null where the version was published without."""

    r: float | None = Field(
        description="where the activation lies over the test set: 0 its median, 1 its highest"
    )
    ratio: float | None = Field(description="activation over that of the best test image")
    high_frequency: float | None = Field(
        description="energy above 0.25 cycles a pixel, against the unit's best test images"
    )
    total_variation: float | None = Field(description="against the unit's best test images")
    nearest: NearestImage | None = Field(description="the test image that the network finds likest")


class UnitResult(Shape):
    unit: int
    activation: float | None = Field(description="the unit's value on its picture")
    dataset_max: float | None = Field(description="its highest value on the test set, where known")
    dead: bool = Field(description="it never answers; the picture is empty")
    score: PictureScore
    image: str
    film: str | None = Field(description="the way to it, frame beside frame")


class Maximisation(Shape):
    id: str
    model: str
    version: int
    layer: str
    objective: str | list[dict[str, Any]] = Field(description="a name, or the terms of a sum")
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    position: int | None = Field(description="queued jobs that come before it")
    step: int
    steps: int
    error: str | None
    request: dict[str, Any]
    events: str
    grid: str | None
    animation: str | None
    frames: list[int] = Field(description="the steps that films and animation show")
    results: list[UnitResult]


class Preset(Shape):
    name: str
    description: str
    paper: str = Field(description="empty where the method is our own")
    settings: dict[str, Any]


class Presets(Shape):
    default: str
    presets: list[Preset]


class FieldProblem(Shape):
    detail: str
    pointer: str | None = Field(None, description="JSON pointer into the body")
    parameter: str | None = Field(None, description="name of a query parameter")


class Problem(Shape):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str | None
    errors: list[FieldProblem] | None = Field(None, description="where fields are invalid")
    known: list[str] | None = Field(None, description="where a name is unknown: those known")


class BrokenModel(Shape):
    model: str
    versions: list[BrokenVersion]


class HeldModel(HeldAlias):
    model: str


class ServingProcess(Shape):
    host: str
    pid: int
    started: str
    ready: bool = Field(description="false once it was told to stop")
    device: str
    loaded: list[str]
    refused: dict[str, str] = Field(description="versions it could not load, with the reason")
    waiting_images: int
    requests: int = Field(description="being answered, those on the short way aside")
    body_bytes: int = Field(description="of their bodies")
    refused_requests: int = Field(description="with 503, since it started")
    passed_deadlines: int
    left_clients: int
    unknown_keys: int
    limited_requests: int


class ShadowComparison(Shape):
    serving: str
    shadow: str
    compared: int
    disagreements: int
    dropped: int = Field(description="not compared: too many waited")
    incomparable: int = Field(description="not compared: the two networks take other pictures")
    failed: int


class ModelStatus(Shape):
    name: str
    versions: list[int]
    aliases: dict[str, int]
    serving: dict[str, int]
    held: list[HeldAlias]
    rollout: Rollout
    comparisons: list[ShadowComparison]
    broken: list[BrokenVersion]


class JobsStatus(Shape):
    open: int
    workers: int
    cached: int = Field(description="maximisations whose pictures are kept")
    cache_bytes: int


class Status(Shape):
    version: str
    started: str
    uptime_seconds: float
    device: str
    processes: list[ServingProcess]
    models: list[ModelStatus]
    jobs: JobsStatus


class Readiness(Shape):
    status: Literal["ready", "not ready"]
    reasons: list[str]
    models: dict[str, int | None] = Field(description="names that can be served, with version")
    broken: list[BrokenModel]
    held: list[HeldModel] = Field(description="aliases whose version does not serve (yet)")
    loaded: list[str]
    device: str
    workers_alive: int


class UnitStatistics(Shape):
    """Over the test set; of a feature map the highest position of an image counts."""

    unit: int
    lowest: float
    highest: float
    mean: float
    std: float
    median: float
    active: float = Field(description="share of the images on which it is above 0")
    dead: bool
    quantiles: dict[str, float]
    class_means: list[float]


class Duplicate(Shape):
    units: list[int]
    correlation: float


class Units(Shape):
    model: str
    version: int
    layer: str
    labels: list[str]
    units: list[UnitStatistics]
    dead: list[int]
    duplicates: list[Duplicate]


class TestImage(Shape):
    index: int = Field(description="its place in the data set's test split")
    label: str
    answer: str
    confidence: float
    image: str


class Embedding(Shape):
    """Columns, one entry a point."""

    model: str
    version: int
    labels: list[str]
    x: list[float]
    y: list[float]
    label: list[int]
    answer: list[int]
    index: list[int]


class Neighbour(Shape):
    index: int
    label: str
    answer: str
    distance: float = Field(description="in features, of which the map is a picture")
    image: str | None


class Place(Shape):
    x: float
    y: float
    neighbours: list[Neighbour]


class Places(Shape):
    model: str
    version: int
    places: list[Place]


class ConfusionCount(Shape):
    truth: int
    answer: int
    count: int


class Confusions(Shape):
    model: str
    version: int
    labels: list[str]
    cells: list[ConfusionCount]


class Class(Shape):
    label: str
    index: int


class UnitDifference(Shape):
    layer: str
    unit: int
    first: float
    second: float
    effect: float = Field(description="their distance in standard deviations")


class Confusion(Shape):
    model: str
    version: int
    truth: Class
    answer: Class
    count: int
    examples: list[TestImage]
    units: list[UnitDifference]
    between: list[UnitDifference]


class Method(Shape):
    name: str
    title: str
    about: str
    source: str


class Methods(Shape):
    model: str
    version: int
    default: str
    methods: list[Method]


class Scores(Shape):
    logit: float = Field(description="of the target, before softmax")
    sum: float = Field(description="of the map")
    gap: float | None = Field(
        description="of methods that share the logit's gain over an empty image out among the "
        "pixels: how far the sum is from it, as a share"
    )


class Attribution(Shape):
    target: Class
    map: list[list[float]] = Field(description="rows; above 0 a pixel speaks for the target")
    scores: Scores
    input: SeenInput | None = None


class Attributions(Shape):
    model: str
    version: int
    method: str
    layer: str | None = Field(description="of grad-cam")
    attributions: list[Attribution]


class Box(Shape):
    top: int
    left: int
    bottom: int
    right: int


class Example(Shape):
    index: int = Field(description="its place in the data set's test split")
    activation: float
    position: list[int] | None = Field(description="row and column on the layer's map")
    field: Box | None = Field(description="null where the unit sees the whole image")
    label: str | None
    answer: str | None
    confidence: float | None
    image: str | None


class Examples(Shape):
    model: str
    version: int
    layer: str
    unit: int
    height: int
    width: int
    examples: list[Example]


class DrivingImage(TestImage):
    activation: float


class EvolutionStage(Shape):
    epoch: int | None = Field(description="0 is before the first step; null is as published")
    likeness: float | None = Field(
        description="cosine of its weights with the published; null for a layer without weights"
    )
    mean: float
    highest: float
    class_means: list[float | None] = Field(description="null for a class without images")
    top: list[DrivingImage]


class Evolution(Shape):
    model: str
    version: int
    layer: str
    unit: int
    labels: list[str]
    images: int
    stages: list[EvolutionStage]


class Answered(SeenInput):
    label: str
    index: int
    confidence: float


class Adversarial(Shape):
    fooled: bool
    levels: int = Field(description="largest change of a pixel, of 255")
    before: Answered
    after: Answered
    change: list[list[float]] = Field(description="rows, of 0..1; over colours the mean")


class Adversarials(Shape):
    model: str
    version: int
    adversarials: list[Adversarial]


class Inversion(Shape):
    error: float
    picture: SeenInput


class Inversions(Shape):
    model: str
    version: int
    layer: str
    inversions: list[Inversion]


class UnitMatch(Shape):
    unit: int
    partner: int
    correlation: float


class LayerMatch(Shape):
    first: str
    second: str
    cka: float
    matches: list[UnitMatch]


class Comparison(Shape):
    first: str
    second: str
    images: int
    agreement: float = Field(description="share of the images that both answer alike")
    first_layers: list[str]
    second_layers: list[str]
    cka: list[list[float]]
    layers: list[LayerMatch]
