"""A unit over the snapshots of its network's training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphscope.checkpoint import Checkpoint
from glyphscope.evolution import Stage, drift, evolve, stage
from service.analysis.job import Answer, Job, json_answer
from service.analysis.workshop import Workshop
from service.microscopy import image_of

TOP = 5
"""Test images that drive it most, at each epoch."""

PUBLISHED = -1

Rows = NDArray[np.int64]
"""Of the images that the version carries, those that are looked at."""


def evolution(workshop: Workshop, job: Job) -> Answer:
    checkpoint = workshop.checkpoint(job.models[0])
    layer, unit = job.options["layer"], job.options["unit"]
    carried = len(checkpoint.images)
    places = np.linspace(0, carried - 1, min(job.options["images"], carried))
    rows: Rows = places.round().astype(np.int64)
    pixels = checkpoint.images.pixels[rows]
    found = evolve(checkpoint, checkpoint.snapshots, layer, unit, pixels)
    found.append(stage(checkpoint, PUBLISHED, layer, unit, pixels))
    return json_answer(
        {
            "model": checkpoint.manifest.name,
            "version": checkpoint.manifest.version,
            "layer": layer,
            "unit": unit,
            "labels": checkpoint.labels,
            "images": len(rows),
            "stages": [
                _stage(checkpoint, rows, one, float(likeness))
                for one, likeness in zip(found, drift(found), strict=True)
            ],
        }
    )


def _stage(checkpoint: Checkpoint, rows: Rows, found: Stage, likeness: float) -> dict[str, Any]:
    values = found.activations
    best = np.argsort(-values, kind="stable")[:TOP]
    indices = checkpoint.images.values["indices"].numpy()[rows[best]].tolist()
    return {
        "epoch": None if found.epoch == PUBLISHED else found.epoch,
        "likeness": None if np.isnan(likeness) else likeness,
        "mean": float(values.mean()),
        "highest": float(values.max()),
        "class_means": _by_class(checkpoint, rows, values),
        "top": [
            {**(image_of(checkpoint, index) or {}), "activation": float(value)}
            for index, value in zip(indices, values[best], strict=True)
        ],
    }


def _by_class(
    checkpoint: Checkpoint, rows: Rows, values: NDArray[np.float32]
) -> list[float | None]:
    """None for a class that none of these images is of."""
    labels = checkpoint.images.values["labels"].numpy()[rows]
    return [
        float(values[labels == k].mean()) if (labels == k).any() else None
        for k in range(len(checkpoint.labels))
    ]
