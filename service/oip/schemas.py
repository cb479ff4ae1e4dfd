"""The shapes of answers under /v2, for the OpenAPI document."""

from typing import Any, Literal

from pydantic import Field

from service.document.schemas import Shape

Datatype = Literal["BOOL", "UINT8", "INT64", "FP32", "BYTES"]


class OipError(Shape):
    error: str
    ready: bool | None = Field(None, description="of /v2/health/ready: false")


class OipServer(Shape):
    name: str
    version: str
    extensions: list[str]


class OipLive(Shape):
    live: bool


class OipReady(Shape):
    ready: bool
    name: str | None = Field(None, description="of a model")


class OipTensor(Shape):
    name: str
    datatype: Datatype
    shape: list[int] = Field(description="-1 is the batch")


class OipModel(Shape):
    name: str
    versions: list[str]
    platform: str
    inputs: list[OipTensor]
    outputs: list[OipTensor]


class OipGiven(Shape):
    name: str
    datatype: Datatype
    shape: list[int]
    data: list[Any] | None = Field(None, description="flat or nested; or binary, behind the JSON")
    parameters: dict[str, Any] = Field({})


class OipAsked(Shape):
    name: str
    parameters: dict[str, Any] = Field({}, description="binary_data, classification")


class OipRequest(Shape):
    id: str = ""
    parameters: dict[str, Any] = Field({}, description="binary_data_output")
    inputs: list[OipGiven]
    outputs: list[OipAsked] = Field([])


class OipAnswered(Shape):
    name: str
    datatype: Datatype
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, int] | None = Field(None, description="binary_data_size")


class OipResponse(Shape):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OipAnswered]


class OipStatistics(Shape):
    model_stats: list[dict[str, Any]]


class OipIndexed(Shape):
    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str
