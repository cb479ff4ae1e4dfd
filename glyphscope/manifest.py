"""What a checkpoint says of itself: ``manifest.json``, read strictly and written in one order."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from glyphscope.errors import BrokenCheckpoint
from glyphscope.spec import Frozen, InputSpec, LabelSet, NetworkSpec

SCHEMA_VERSION = 1

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
FILE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"

WEIGHTS = "model.safetensors"
FIRST_LAYER = "first_layer.safetensors"
ONNX = "model.onnx"
HISTORY = "history.json"
EXAMPLES = "examples.safetensors"
IMAGES = "example_images.safetensors"
SHEET = "example_images.png"
STATISTICS = "statistics.safetensors"
EMBEDDING = "embedding.safetensors"
CONFUSIONS = "confusions.safetensors"
SNAPSHOTS = "snapshots.safetensors"
PRIOR = "prior.safetensors"
MODEL_CARD = "MODEL_CARD.md"


class Metrics(Frozen):
    """On the test set, read once. ``confusion[i][j]`` counts images of class i answered as j."""

    split: str
    n: int
    accuracy: float
    ece: float = Field(description="expected calibration error after temperature, 15 bins")
    per_class: dict[str, float]
    confusion: tuple[tuple[int, ...], ...]
    validation_accuracy: float


class Calibration(Frozen):
    """``temperature`` divides the logits (Guo et al. 2017). Above ``energy_threshold`` an image is
    called out of distribution (Liu et al. 2020); both were chosen on validation images."""

    temperature: Annotated[float, Field(gt=0)] = 1.0
    energy_threshold: float | None = None


class Training(Frozen):
    """How it came to be; ``recipe`` is the whole recipe as it was run."""

    recipe: dict[str, Any]
    seed: int
    dataset: str
    train_images: int
    validation_images: int
    split_seed: int
    epochs: int
    device: str
    seconds: float
    git_commit: str | None = None
    torch_version: str


class Origin(Frozen):
    """Weights that were trained elsewhere: the file that they were read from, and as what."""

    architecture: str
    file: str
    sha256: str


class Onnx(Frozen):
    """Parity of ``model.onnx`` with the torch network, on real images at publish."""

    opset: int
    max_abs_difference: float
    checked_images: int


class Manifest(Frozen):
    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    version: Annotated[int, Field(ge=1)]
    created: str = Field(description="UTC, ISO 8601")
    network: NetworkSpec
    input: InputSpec
    labels: LabelSet
    metrics: Metrics | None = None
    calibration: Calibration = Calibration()
    training: Training | None = None
    origin: Origin | None = Field(None, exclude_if=lambda origin: origin is None)
    onnx: Onnx | None = None
    files: dict[Annotated[str, Field(pattern=FILE_PATTERN)], str] = Field(
        default_factory=dict, description="SHA-256 of each file beside the manifest"
    )

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """SHA-256 of all that determines the network's answers: description, input and weights.

        Name, version and metrics are left out, so the same network published twice shares its
        cached pictures.
        """
        parts = {
            "network": self.network.model_dump(mode="json"),
            "input": self.input.model_dump(mode="json"),
            "weights": self.files.get(WEIGHTS, ""),
        }
        return sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode())

    def to_json(self) -> bytes:
        return (self.model_dump_json(indent=1) + "\n").encode()


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Raises ``BrokenCheckpoint`` with the first thing that is not understood."""
    try:
        found = json.loads(data)
    except ValueError as error:
        raise BrokenCheckpoint(f"{where}: manifest.json is not JSON: {error}") from None
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        raise BrokenCheckpoint(
            f"{where}: manifest.json has schema_version {version!r}, this Glyphscope reads "
            f"{SCHEMA_VERSION}"
        )
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BrokenCheckpoint(f"{where}: manifest.json: {field}: {first['msg']}") from None


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
