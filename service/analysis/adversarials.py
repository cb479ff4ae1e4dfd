"""Images changed as little as it takes to change the answer."""

from typing import Any

import numpy as np
import torch

from glyphscope.adversarial import AttackOptions, perturb, smallest
from glyphscope.checkpoint import Checkpoint
from glyphscope.predict import predict
from glyphscope.preprocess import Pixels, to_tensor
from service.analysis.attributions import seen
from service.analysis.job import Answer, Job, json_answer
from service.analysis.workshop import Workshop


def adversarials(workshop: Workshop, job: Job) -> Answer:
    checkpoint = workshop.checkpoint(job.models[0])
    assert job.pixels is not None
    return json_answer(
        {
            "model": checkpoint.manifest.name,
            "version": checkpoint.manifest.version,
            "adversarials": [_one(checkpoint, pixels, job.options) for pixels in job.pixels],
        }
    )


def _one(checkpoint: Checkpoint, pixels: Pixels, options: Any) -> dict[str, Any]:
    settings, levels = AttackOptions.model_validate(options["settings"]), options["levels"]
    if levels is None:
        found = smallest(checkpoint, pixels, settings)
    else:
        found = perturb(checkpoint, pixels, levels, settings)
    before, after = _answers(checkpoint, np.stack([pixels, found.pixels]))
    change = (found.pixels.astype(np.float32) - pixels) / 255
    return {
        "fooled": found.succeeded,
        "levels": found.levels,
        "before": {**before, **seen(pixels)},
        "after": {**after, **seen(found.pixels)},
        "change": change.mean(0),
    }


def _answers(checkpoint: Checkpoint, pixels: Pixels) -> list[dict[str, Any]]:
    """As classifying would give them: calibrated."""
    manifest = checkpoint.manifest
    with torch.inference_mode():
        logits = checkpoint.network(to_tensor(pixels, manifest.input, checkpoint.device)).cpu()
    found = predict(logits, checkpoint.labels, manifest.calibration, 1)
    return [{"label": one.label, "index": one.index, "confidence": one.confidence} for one in found]
