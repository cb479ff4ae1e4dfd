"""Real requests and answers, shown in the OpenAPI document; the tests send every request.

The picture is image 0 of the MNIST test set (LeCun, Cortes, Burges). The strokes are a four of
writer val/gresai30 in UNIPEN train_r01_v07 (International Unipen Foundation, CC BY 4.0). The
answers (examples.json, findings.json) were given by a running service.
"""

import json
from pathlib import Path
from typing import Any

SEVEN_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAwUlEQVR42mNgGDaAEUKFpD77sfTFHeyS9xQYGBg+X4UK"
    "Puk6w8DAwMDAAuGm6l/TMnSweCzLwPDntSTDozPIOhkYGBgYBA3PmDIw/Lh1XShnGi5nBP+9KIRLTuzl/2AokwlDMlv0"
    "/U1cGq1//rPD6fHWf7tZcclxnv1hhVNj3b9tOOW8f3+wxCUnfPffMlxyzKf/3VbGJan2758vLjn5B/+KGXF78Z8JLjnb"
    "T+iSSGFrw8Nw9wuKJAsy56LzO+ITGABpETyQcCy90wAAAABJRU5ErkJggg=="
)

FOUR_STROKES = [
    [
        [0.14, 0], [0.068, 0.302], [0, 0.37], [0.008, 0.411], [0.057, 0.426], [0.17, 0.415],
        [0.294, 0.385], [0.408, 0.366], [0.415, 0.37], [0.415, 0.374],
    ],
    [
        [0.702, 0.023], [0.672, 0.317], [0.615, 0.521], [0.558, 0.694], [0.54, 0.845],
        [0.54, 0.921], [0.54, 0.977], [0.536, 1],
    ],
]  # fmt: skip

ONE_PIXELS = [
    [0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 255, 0, 0, 0],
    [0, 0, 255, 255, 0, 0, 0],
    [0, 0, 0, 255, 0, 0, 0],
    [0, 0, 0, 255, 0, 0, 0],
    [0, 0, 0, 255, 0, 0, 0],
    [0, 0, 255, 255, 255, 0, 0],
    [0, 0, 0, 0, 0, 0, 0],
]

INPUTS: dict[str, Any] = {
    "strokes": {
        "summary": "pen strokes, x right and y down in any unit",
        "value": {"inputs": [{"strokes": FOUR_STROKES}]},
    },
    "image": {
        "summary": "a picture in base64",
        "value": {"inputs": [{"image": SEVEN_PNG}]},
    },
    "pixels": {
        "summary": "rows of numbers: integers 0..255, or fractions 0..1",
        "value": {"inputs": [{"pixels": ONE_PIXELS}]},
    },
    "several": {
        "summary": "several at once",
        "value": {"inputs": [{"image": SEVEN_PNG}, {"strokes": FOUR_STROKES}]},
    },
}

MAXIMISATIONS: dict[str, Any] = {
    "class": {
        "summary": "what the network takes for a perfect three",
        "value": {"layer": "logits", "units": [3]},
    },
    "layer": {
        "summary": "every channel of a layer, faster and rougher",
        "value": {"layer": "conv1", "units": "all", "steps": 64, "seed": 7},
    },
}

ANSWERS: dict[str, Any] = {
    name: answer
    for file in ("examples.json", "findings.json")
    for name, answer in json.loads(Path(__file__).with_name(file).read_text("utf-8")).items()
}
