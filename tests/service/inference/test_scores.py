"""The same numbers as the library's ``predict``."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from glyphscope.manifest import Calibration, Manifest
from glyphscope.predict import predict
from service.inference.scores import Pass, Scores


@pytest.mark.parametrize("threshold", [None, -9.0])
@pytest.mark.parametrize("top_k", [1, 3, 10])
@pytest.mark.parametrize("images", [6, 70])
def test_predicts_as_the_library(
    manifest: Manifest, images: int, top_k: int, threshold: float | None
) -> None:
    calibration = Calibration(temperature=1.7, energy_threshold=threshold)
    manifest = manifest.model_copy(update={"calibration": calibration})
    logits = np.random.default_rng(0).normal(0, 8, (images, 10)).astype(np.float32)
    found = Scores(Pass(logits, manifest), 1, images).documents(top_k)
    wanted = [
        dataclasses.asdict(each)
        for each in predict(torch.from_numpy(logits[1:]), manifest.labels.names, calibration, top_k)
    ]
    assert found == close(wanted)


def close(value: Any) -> Any:
    """Equal to numbers of another precision."""
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-5)
    if isinstance(value, dict):
        return {name: close(each) for name, each in value.items()}
    return [close(each) for each in value] if isinstance(value, list | tuple) else value
