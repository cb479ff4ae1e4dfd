import math

import pytest
import torch

from glyphscope.manifest import Calibration
from glyphscope.predict import energy, predict

LABELS = ("a", "b", "c")


def test_the_answer_is_the_softmax_by_hand() -> None:
    [found] = predict(torch.tensor([[2.0, 0.0, 1.0]]), LABELS, Calibration(temperature=2.0))
    weights = [math.exp(1.0), math.exp(0.0), math.exp(0.5)]
    assert (found.label, found.index) == ("a", 0)
    assert found.confidence == pytest.approx(weights[0] / sum(weights))
    assert [c.label for c in found.top] == ["a", "c", "b"]
    assert sum(c.probability for c in found.top) == pytest.approx(1)


def test_temperature_changes_confidence_and_no_answer() -> None:
    logits = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    sure = predict(logits, LABELS, Calibration(temperature=0.5))
    unsure = predict(logits, LABELS, Calibration(temperature=4))
    assert [p.label for p in sure] == [p.label for p in unsure]
    assert all(a.confidence > b.confidence for a, b in zip(sure, unsure, strict=True))


def test_energy_is_low_for_what_is_known() -> None:
    logits = torch.tensor([[9.0, 0, 0], [0.1, 0.0, 0.1]])
    assert energy(logits)[0] == pytest.approx(-math.log(math.exp(9) + 2))
    known, strange = predict(logits, LABELS, Calibration(energy_threshold=-5.0))
    assert known.in_distribution is True
    assert strange.in_distribution is False
    assert predict(logits, LABELS, Calibration())[0].in_distribution is None


def test_more_than_all_classes_gives_all() -> None:
    [found] = predict(torch.zeros(1, 3), LABELS, Calibration(), top_k=99)
    assert len(found.top) == 3
