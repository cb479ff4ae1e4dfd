"""What is sent: each server gets the same images in the form that it documents."""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

_BOUNDARY = "image-boundary"


@dataclass(frozen=True)
class Body:
    media_type: str
    data: bytes
    headers: tuple[tuple[str, str], ...] = ()


Form = Callable[[bytes, str], Body]
"""(file, media type) -> body"""


def png(image: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def npy(images: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, images)
    return out.getvalue()


def raw(file: bytes, media_type: str) -> Body:
    return Body(media_type, file)


def upload(field: str) -> Form:
    def form(file: bytes, media_type: str) -> Body:
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="a.bin"\r\n'
            f"Content-Type: {media_type}\r\n\r\n"
        )
        data = head.encode() + file + f"\r\n--{_BOUNDARY}--\r\n".encode()
        return Body(f"multipart/form-data; boundary={_BOUNDARY}", data)

    return form


def oip(file: bytes, media_type: str) -> Body:
    text = base64.b64encode(file).decode()
    inputs = [{"name": "files", "shape": [1, 1], "datatype": "BYTES", "data": [text]}]
    return Body("application/json", json.dumps({"inputs": inputs}).encode())


def oip_binary(images: Any) -> Body:
    """A batch (N, 28, 28) as one binary tensor behind its JSON head."""
    values = images.tobytes()
    tensor = {
        "name": "pixels",
        "shape": [len(images), 1, 28, 28],
        "datatype": "UINT8",
        "parameters": {"binary_data_size": len(values)},
    }
    asked = {"name": "logits", "parameters": {"binary_data": True}}
    head = json.dumps({"inputs": [tensor], "outputs": [asked]}).encode()
    size = ("Inference-Header-Content-Length", str(len(head)))
    return Body("application/octet-stream", head + values, (size,))
