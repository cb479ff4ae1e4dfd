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
def test_predicts_as_the_library(manifest: Manifest, top_k: int, threshold: float | None) -> None:
    calibration = Calibration(temperature=1.7, energy_threshold=threshold)
    manifest = manifest.model_copy(update={"calibration": calibration})
    logits = np.random.default_rng(0).normal(0, 8, (6, 10)).astype(np.float32)
    found = Scores(Pass(logits, manifest), 1, 6).documents(top_k)
    wanted = [
        dataclasses.asdict(each)
        for each in predict(torch.from_numpy(logits[1:]), manifest.labels.names, calibration, top_k)
    ]
    assert rounded(found) == rounded(wanted)
    assert list(found[0]) == list(wanted[0])


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list | tuple) else value
