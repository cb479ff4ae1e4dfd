"""What an evaluation found, all of it: ``evaluation.json``, from which the report is drawn.

It holds the small pictures that the report shows, so a report can be drawn again without the data.
"""

from typing import Any, Literal

from pydantic import ValidationError

from glyphscope.errors import InvalidRecipe
from glyphscope.manifest import Calibration, Metrics
from glyphscope.spec import Frozen
from training.gallery import Example
from training.measure import Bin, ClassFigures, Interval
from training.pen import Pen
from training.rejection import Rejection
from training.robustness import Curve
from training.run import Epoch


class Certainty(Frozen):
    """How far confidences can be believed, before and after temperature scaling."""

    temperature: float
    ece_before: float
    ece_after: float
    loss_before: float
    loss_after: float
    before: tuple[Bin, ...]
    after: tuple[Bin, ...]


class Pair(Frozen):
    """``n`` images of class ``truth`` were answered as ``answer``: ``share`` of that class."""

    truth: str
    answer: str
    n: int
    share: float
    examples: tuple[Example, ...]


class Record(Frozen):
    """``split``: "test", or "validation" for a look that may be repeated. ``left_out``: a line for
    each part that could not be judged, with the reason."""

    schema_version: Literal[1] = 1
    subject: str
    created: str
    split: str
    quick: bool
    metrics: Metrics
    calibration: Calibration
    interval: Interval
    certainty: Certainty
    classes: tuple[ClassFigures, ...]
    pairs: tuple[Pair, ...]
    hardest: tuple[Example, ...]
    robustness: tuple[Curve, ...]
    rejection: Rejection
    pen: Pen | None
    left_out: tuple[str, ...]
    history: tuple[Epoch, ...]
    recipe: dict[str, Any]
    facts: dict[str, str]


def parse_record(data: bytes, where: object) -> Record:
    """Raises ``InvalidRecipe`` with the first thing that is not understood."""
    try:
        return Record.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidRecipe(f"{where}: {field}: {first['msg']}") from None
