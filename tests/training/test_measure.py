import numpy as np
import pytest
import torch
from torch.nn import functional

from glyphscope.manifest import Calibration
from training import measure


def test_ece_equals_a_naive_loop() -> None:
    rng = np.random.default_rng(0)
    confidence, right = rng.random(2000), rng.random(2000) < 0.7
    naive = 0.0
    for b in range(15):
        inside = (confidence >= b / 15) & (confidence < (b + 1) / 15)
        if inside.any():
            gap = abs(confidence[inside].mean() - right[inside].mean())
            naive += gap * inside.mean()
    found = measure.expected_calibration_error(
        torch.from_numpy(confidence), torch.from_numpy(right)
    )
    assert found == pytest.approx(naive, abs=1e-6)


def test_confusion_counts_rows_as_truth() -> None:
    answers, labels = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 2, 2])
    assert measure.confusion_matrix(answers, labels, 3).tolist() == [
        [1, 0, 0],
        [0, 1, 0],
        [0, 1, 1],
    ]


def test_temperature_is_the_minimum_of_the_loss() -> None:
    torch.manual_seed(0)
    clean = torch.randn(4000, 5)
    labels = torch.multinomial(clean.softmax(1), 1)[:, 0]
    found = measure.temperature(clean * 3, labels)  # three times too sure of itself

    def loss(t: float) -> float:
        return float(functional.cross_entropy(clean * 3 / t, labels))

    assert found == pytest.approx(3, rel=0.1)
    assert loss(found) <= min(loss(found * 1.02), loss(found / 1.02))


def test_metrics_agree_with_counting() -> None:
    logits = torch.tensor([[3.0, 0], [0, 3], [3, 0], [3, 0]])
    labels = torch.tensor([0, 1, 1, 0])
    m = measure.metrics(logits, labels, ["a", "b"], Calibration(), "x", 0.5)
    assert m.accuracy == 0.75
    assert m.per_class == {"a": 1.0, "b": 0.5}
    assert m.n == 4


def test_threshold_lets_99_in_100_validation_images_pass() -> None:
    logits = torch.randn(1000, 10, generator=torch.Generator().manual_seed(0))
    limit = measure.calibrate(logits, logits.argmax(1)).energy_threshold
    assert limit is not None
    inside = (-torch.logsumexp(logits, 1) <= limit).float().mean()
    assert float(inside) == pytest.approx(0.99, abs=0.002)
