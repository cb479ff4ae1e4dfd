"""An atlas as one HTML file: data, pictures, style and script inside it, nothing from elsewhere."""

import base64
import io
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from glyphscope.picture import Pixels
from training.atlas.gather import Atlas

FOLDER = Path(__file__).parent


def write(found: Atlas, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(render(found), encoding="utf-8")
    os.replace(part, path)
    return path


def render(found: Atlas) -> str:
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("atlas.html").render(
        model=found.facts["model"],
        # Marked as safe: numbers, names and base64 made here, and no "<" is left in any of them.
        data=Markup(_json({**found.facts, "sheets": _shapes(found)})),
        sheets=[(name, Markup(_png(pixels))) for name, pixels in found.sheets.items()],
        style=Markup((FOLDER / "atlas.css").read_text("utf-8")),
        script=Markup((FOLDER / "atlas.js").read_text("utf-8")),
    )


def _json(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _shapes(found: Atlas) -> dict[str, list[int]]:
    """[columns, rows, tiles, tile height, tile width] by sheet."""
    shapes = {}
    for name, pixels in found.sheets.items():
        count, _, height, width = pixels.shape
        columns = _columns(count)
        shapes[name] = [columns, -(-count // columns), count, height, width]
    return shapes


def _columns(count: int) -> int:
    return max(1, math.ceil(math.sqrt(count)))


def _png(pixels: Pixels) -> str:
    """A sheet as square as it gets, in base64."""
    count, channels, height, width = pixels.shape
    columns = _columns(count)
    rows = -(-count // columns)
    padded = np.zeros((rows * columns, channels, height, width), np.uint8)
    padded[:count] = pixels
    grid = padded.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    flat = grid.reshape(rows * height, columns * width, channels)
    out = io.BytesIO()
    Image.fromarray(flat[..., 0] if channels == 1 else flat).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()
