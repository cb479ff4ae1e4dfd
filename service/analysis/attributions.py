"""Heat maps, in the format that was asked for."""

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from glyphscope.attribution import Attribution, AttributionOptions, attribute
from glyphscope.checkpoint import Checkpoint
from glyphscope.preprocess import Pixels
from glyphscope.visualise import png
from service.analysis.heat import overlay
from service.analysis.job import Answer, Job, json_answer
from service.analysis.workshop import Workshop


def attributions(workshop: Workshop, job: Job) -> Answer:
    checkpoint = workshop.checkpoint(job.models[0])
    options, pixels = job.options, job.pixels
    assert pixels is not None
    found = attribute(
        checkpoint,
        pixels,
        options["method"],
        options["target"],
        AttributionOptions.model_validate(options["settings"]),
    )
    return WRITERS[options["format"]](checkpoint, found, pixels, options)


Options = Any
"""What the route put into the job."""


def _json(checkpoint: Checkpoint, found: Attribution, pixels: Pixels, options: Options) -> Answer:
    shown = pixels if options["input"] else None
    return json_answer(
        {
            "model": checkpoint.manifest.name,
            "version": checkpoint.manifest.version,
            "method": found.method,
            "layer": found.layer,
            "attributions": [_one(checkpoint, found, i, shown) for i in range(len(pixels))],
        }
    )


def _one(
    checkpoint: Checkpoint, found: Attribution, i: int, pixels: Pixels | None
) -> dict[str, Any]:
    target, heat = found.targets[i], found.heat[i]
    document: dict[str, Any] = {
        "target": {"label": checkpoint.labels[target], "index": target},
        "map": heat,
        "scores": {
            "logit": found.logits[i],
            "sum": float(heat.sum()),
            "gap": found.gaps[i] if found.gaps else None,
        },
    }
    if pixels is not None:
        document["input"] = seen(pixels[i])
    return document


def seen(pixels: Pixels) -> dict[str, Any]:
    """The image as the network sees it: uint8 (C, H, W)."""
    channels, height, width = pixels.shape
    picture = base64.b64encode(png(pixels)).decode()
    return {"width": width, "height": height, "channels": channels, "png": picture}


def _npz(checkpoint: Checkpoint, found: Attribution, pixels: Pixels, options: Options) -> Answer:
    out = io.BytesIO()
    targets, logits = np.array(found.targets), np.array(found.logits, np.float32)
    np.savez(out, allow_pickle=False, maps=found.heat, targets=targets, logits=logits)
    return Answer(out.getvalue(), "application/x-npz")


def _png(checkpoint: Checkpoint, found: Attribution, pixels: Pixels, options: Options) -> Answer:
    return Answer(png(overlay(found.heat[0], pixels[0]), options["scale"]), "image/png")


WRITERS: dict[str, Callable[[Checkpoint, Attribution, Pixels, Options], Answer]] = {
    "json": _json,
    "npz": _npz,
    "png": _png,
}
