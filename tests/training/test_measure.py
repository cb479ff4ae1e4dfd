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


def test_bins_of_the_reliability_diagram_equal_a_naive_loop() -> None:
    rng = np.random.default_rng(1)
    confidence, right = rng.random(500) ** 0.2, rng.random(500) < 0.8
    bins = measure.reliability(torch.from_numpy(confidence), torch.from_numpy(right))
    assert sum(b.n for b in bins) == 500
    for b in bins:
        inside = (confidence >= b.low) & (confidence < b.high)
        assert b.n == inside.sum()
        if b.n:
            assert b.confidence == pytest.approx(confidence[inside].mean(), abs=1e-6)
            assert b.accuracy == pytest.approx(right[inside].mean(), abs=1e-6)
        else:
            assert b.confidence is b.accuracy is None


@pytest.mark.parametrize(
    ("right", "n", "expected"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_gives_the_published_intervals(
    right: int, n: int, expected: tuple[float, float]
) -> None:
    """Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 3."""
    assert measure.wilson(right, n) == pytest.approx(expected, abs=5e-5)
    low, high = measure.wilson(n - right, n)
    assert (1 - high, 1 - low) == pytest.approx(expected, abs=5e-5)


def test_precision_recall_and_f1_agree_with_counting() -> None:
    rng = np.random.default_rng(2)
    truth, answers = rng.integers(0, 4, 300), rng.integers(0, 3, 300)  # class 3 is never answered
    confusion = measure.confusion_matrix(torch.from_numpy(answers), torch.from_numpy(truth), 4)
    for k, found in enumerate(measure.class_figures(confusion, "abcd")):
        hits = sum(t == a == k for t, a in zip(truth, answers, strict=True))
        named, images = int((answers == k).sum()), int((truth == k).sum())
        precision, recall = hits / named if named else 0.0, hits / images
        total = precision + recall
        assert (found.name, found.n) == ("abcd"[k], images)
        assert found.precision == pytest.approx(precision, abs=1e-6)
        assert found.recall == pytest.approx(recall, abs=1e-6)
        assert found.f1 == pytest.approx(2 * precision * recall / total if total else 0, abs=1e-6)


def test_negative_log_likelihood_equals_the_formula() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0]])
    naive = 0.0
    for row, label in zip(logits.tolist(), [0, 2], strict=True):
        scaled = np.exp(np.array(row) / 2)
        naive -= np.log(scaled[label] / scaled.sum()) / 2
    found = measure.negative_log_likelihood(logits, torch.tensor([0, 2]), temperature=2)
    assert found == pytest.approx(naive)
