"""A job and its answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.formats.answers import dumps


@dataclass(frozen=True)
class Job:
    """``models``: "name@version" each. ``options`` are what JSON can say. ``pixels``: uint8
    (N, C, H, W), or none."""

    task: str
    models: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    pixels: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Answer:
    """What the client gets, as it gets it: written where it was worked out."""

    body: bytes
    media_type: str


def json_answer(document: Any) -> Answer:
    return Answer(dumps(document), "application/json")
