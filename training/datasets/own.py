"""The user's own data by name: "folder:PATH" or "npz:PATH", with settings behind commas.

    folder:photos
    folder:photos,size=48,channels=1
    npz:letters.npz,preprocessing=mnist,test=0.1

    size            48, or 32x48 (height x width); default: the images' own where all have one of at
                    most 64x64, else 32x32
    channels        1 or 3; default: 1 where every image is grey, else 3
    preprocessing   how the service fits what people send: picture (default), mnist, emnist, ...
    test            where there is no test split: the share of each class held out for it, 0.2

PATH is relative to where the command runs; ~ is the home folder.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from glyphscope.errors import InvalidRecipe
from glyphscope.preprocess import PREPROCESSING
from glyphscope.spec import Frozen, InputSpec

KINDS = ("folder", "npz")

OWN_SIDE = 64
"""Images that all have one size up to this are taken as they are."""

SIDE = 32
"""Any others are fitted to this where no size is given: what small networks are made for."""


class Settings(Frozen):
    size: tuple[int, int] | None = None
    channels: int | None = Field(None)
    preprocessing: str = "picture"
    test: float = Field(0.2, gt=0, lt=1)

    @field_validator("size", mode="before")
    @classmethod
    def _height_and_width(cls, value: str) -> tuple[int, ...]:
        if not re.fullmatch(r"\d{1,4}(x\d{1,4})?", value):
            raise PydanticCustomError("size", "must be such as 48, or 32x48 for height x width")
        numbers = [int(number) for number in value.split("x")]
        if not all(4 <= number <= 1024 for number in numbers):
            raise PydanticCustomError("size", "must be 4 to 1024 pixels a side")
        return numbers[0], numbers[-1]

    @field_validator("channels")
    @classmethod
    def _grey_or_colour(cls, value: int) -> int:
        if value not in (1, 3):
            raise PydanticCustomError("channels", "must be 1 (grey) or 3 (colour)")
        return value

    @field_validator("preprocessing")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in PREPROCESSING:
            raise PydanticCustomError(
                "preprocessing", "must be one of {known}", {"known": ", ".join(PREPROCESSING)}
            )
        return value

    def input(self, channels: int, height: int, width: int) -> InputSpec:
        return InputSpec(
            channels=1 if channels == 1 else 3,
            height=height,
            width=width,
            preprocessing=self.preprocessing,
            mean=(0.0,) * channels,
            std=(1.0,) * channels,
        )


@dataclass(frozen=True)
class Own:
    """``name`` as it was given, for messages."""

    name: str
    kind: str
    path: Path
    settings: Settings


def own(name: str) -> Own | None:
    """None where the name is not of this form."""
    kind, colon, rest = name.partition(":")
    if kind not in KINDS or not colon:
        return None
    # A comma belongs to the path unless a setting follows it.
    path, *pairs = re.split(r",(?=[A-Za-z_]+=)", rest)
    if not path:
        raise InvalidRecipe(f"data set {name!r} names no path: write {kind}:PATH")
    found = dict(pair.split("=", 1) for pair in pairs)
    try:
        settings = Settings.model_validate(found)
    except ValidationError as error:
        raise InvalidRecipe(f"data set {name!r}: {_explain(error)}") from None
    return Own(name, kind, Path(path).expanduser(), settings)


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return f"unknown setting {key!r}; known: {', '.join(Settings.model_fields)}"
    return f"{key}: {first['msg']}, not {first['input']!r}"
