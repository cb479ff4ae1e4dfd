"""Tensors -> the answer: JSON, with the bytes of those behind it that are wanted in binary."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from glyphscope.manifest import Manifest
from service.formats.answers import answer, dumps
from service.oip.message import HEADER, Asked, Message
from service.oip.tensors import Tensor

BINARY = "application/octet-stream"


def reply(
    message: Message, manifest: Manifest, asked: Sequence[Asked], found: Sequence[Tensor]
) -> Response:
    blobs: list[bytes] = []
    outputs = []
    for each, tensor in zip(asked, found, strict=True):
        wanted = each.parameters.binary_data
        binary = message.parameters.binary_data_output if wanted is None else wanted
        outputs.append(_output(tensor, blobs if binary else None))
    document: dict[str, Any] = {
        "model_name": manifest.name,
        "model_version": str(manifest.version),
        "outputs": outputs,
    }
    if message.id:
        document["id"] = message.id
    if not blobs:
        return answer(document)
    head = dumps(document)
    body = b"".join([head, *blobs])
    return Response(body, headers={HEADER: str(len(head))}, media_type=BINARY)


def _output(tensor: Tensor, blobs: list[bytes] | None) -> dict[str, Any]:
    described = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    if blobs is None:
        return {**described, "data": tensor.to_list()}
    blobs.append(tensor.to_bytes())
    return {**described, "parameters": {"binary_data_size": len(blobs[-1])}}
