"""The body of an inference request -> a checked ``Message``: who is given, and what is asked for.

    {"id": "", "parameters": {}, "inputs": [{"name", "datatype", "shape", "data", "parameters"}],
     "outputs": [{"name", "parameters"}]}

Binary data stands behind the JSON, in the order of the inputs; it is looked at, never copied.
Members that are not known here are passed over, as the protocol has room for extensions.
"""

import struct
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from glyphscope.errors import InvalidInput

HEADER = "Inference-Header-Content-Length"

# Every name can be given once; a list of a million errors would be work done for nothing.
_MOST = 32

Size = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class InputParameters(Part):
    binary_data_size: Size | None = None
    shared_memory_region: Any = None


class OutputParameters(Part):
    binary_data: bool | None = None
    classification: Size = 0
    shared_memory_region: Any = None


class RequestParameters(Part):
    binary_data_output: bool = False
    sequence_id: int | str = 0
    timeout: Size | None = Field(None, description="microseconds")


class Given(Part):
    """An input. ``data`` is a list out of the JSON, or the tensor's bytes from behind it."""

    name: str
    datatype: str
    shape: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=8)]
    parameters: InputParameters = InputParameters()
    data: Any = None

    @property
    def binary(self) -> bool:
        return isinstance(self.data, memoryview)


class Asked(Part):
    name: str
    parameters: OutputParameters = OutputParameters()


class Message(Part):
    id: str | None = None
    parameters: RequestParameters = RequestParameters()
    inputs: Annotated[list[Given], Field(min_length=1, max_length=_MOST)]
    outputs: Annotated[list[Asked], Field(max_length=_MOST)] | None = None


def parse(body: bytes, head: int | None) -> Message:
    """``head`` is the JSON's length where binary data follows; at 0 the body is one picture, as
    Triton's raw binary requests are. Raises ``HTTPException`` 400, ``ValidationError`` or
    ``InvalidInput``."""
    if head == 0:
        return Message(inputs=[_picture(body)])
    whole = memoryview(body)
    if head is not None and head > len(whole):
        raise InvalidInput(f"{HEADER} is {head}, but the body has {len(whole)} bytes")
    document = _load(whole if head is None else whole[:head])
    message = Message.model_validate(document)
    _check(message)
    return message.model_copy(update={"inputs": _filled(message.inputs, whole, head)})


def head_length(value: str | None) -> int | None:
    """What the header says. Raises ``InvalidInput`` for what is no length."""
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 16):
        raise InvalidInput(f"{HEADER} must be the JSON's length in bytes, not {value[:40]!r}")
    return int(value)


def _picture(body: bytes) -> Given:
    element = memoryview(struct.pack("<I", len(body)) + body)
    return Given(name="image", datatype="BYTES", shape=[1], data=element)


def _load(head: memoryview) -> Any:
    try:
        return orjson.loads(head)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"the request is not JSON: {error}") from None


def _check(message: Message) -> None:
    for kind, parts in (("input", message.inputs), ("output", message.outputs or [])):
        names = [part.name for part in parts]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InvalidInput(f"{kind} {twice!r} is given twice")
        if any(part.parameters.shared_memory_region is not None for part in parts):
            raise InvalidInput("shared memory is not offered here; send the data in the body")
    if message.parameters.sequence_id not in (0, ""):
        raise InvalidInput("the models here keep no state: sequence_id cannot be used")


def _filled(inputs: Sequence[Given], whole: memoryview, head: int | None) -> list[Given]:
    """Each input with its share of the bytes behind the JSON; all of them belong to somebody."""
    start = len(whole) if head is None else head
    found = []
    for given in inputs:
        size = given.parameters.binary_data_size
        if (size is None) == (given.data is None):
            raise InvalidInput(f"input {given.name!r} needs either data or binary_data_size")
        if size is None:
            found.append(given)
            continue
        if size > len(whole) - start:
            raise InvalidInput(
                f"input {given.name!r} has binary_data_size {size}, but only "
                f"{len(whole) - start} bytes are left behind the JSON ({HEADER} says where it ends)"
            )
        found.append(given.model_copy(update={"data": whole[start : start + size]}))
        start += size
    if start != len(whole):
        raise InvalidInput(f"{len(whole) - start} bytes of the body belong to no input")
    return found
