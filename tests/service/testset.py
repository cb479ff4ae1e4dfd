"""What a version carries of its test set, worked out for 40 real digits and a small network."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import torch as tensors

from glyphscope import confusion, example_images
from glyphscope import manifest as m
from glyphscope.manifest import Calibration
from glyphscope.networks import build
from glyphscope.predict import probabilities
from glyphscope.spec import InputSpec, NetworkSpec
from glyphscope.survey import survey

SAMPLE = Path(__file__).parents[1] / "data/mnist-sample.npz"
IMAGES = 40


@cache
def files(spec: NetworkSpec, seed: int, given: InputSpec) -> dict[str, bytes]:
    """As publishing would write them; the map is of two principal axes instead of t-SNE's."""
    with np.load(SAMPLE) as sample:
        step = len(sample["test_images"]) // IMAGES
        images = torch.from_numpy(sample["test_images"][::step][:, None].copy())
        labels = torch.from_numpy(sample["test_labels"][::step].astype(np.int64))
    network = build(spec, seed=seed).eval().requires_grad_(False)
    found = survey(network, given, images, labels, 10)
    answers = probabilities(found.logits, Calibration())
    cells = confusion.collect(labels, answers)
    features = found.features - found.features.mean(0)
    axes = torch.linalg.svd(features, full_matrices=False)[2].T[:, :4].contiguous()
    reduced = features @ axes
    places = {
        "points": (reduced[:, :2] / reduced[:, :2].abs().max()).contiguous(),
        "indices": found.sample.int(),
        "labels": labels.int(),
        "answers": answers.argmax(1).int(),
        "features": reduced.half(),
        "centre": found.features.mean(0),
        "axes": axes,
    }
    return {
        m.EXAMPLES: tensors.save(found.examples),
        m.STATISTICS: tensors.save(found.statistics),
        m.CONFUSIONS: tensors.save(cells),
        m.EMBEDDING: tensors.save(places),
        **example_images.pack(images, labels, answers, [range(IMAGES)]),
    }
