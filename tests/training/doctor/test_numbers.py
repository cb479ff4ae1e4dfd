"""The numbers behind the findings, against a computation of their own."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from training.doctor import thresholds
from training.doctor.figures import best, dead_share, figures
from training.doctor.findings import found, ranked
from training.doctor.record import Heard, HeldOut, Layer, Record, Step
from training.doctor.stream import Stream, label_probe


@pytest.mark.parametrize("classes", [2, 10, 47])
def test_squashed_logits_never_get_below_their_floor_and_can_reach_it(classes: int) -> None:
    extreme = torch.full((1, classes), -50.0)
    extreme[0, 0] = 50.0
    random = 20 * torch.randn(5000, classes, generator=torch.Generator().manual_seed(0))
    low, tanh = thresholds.softmax_twice_floor(classes), thresholds.tanh_floor(classes)
    for squash, floor in ((nn.Softmax(1), low), (nn.Sigmoid(), low), (nn.Tanh(), tanh)):
        target = torch.zeros(5000, dtype=torch.long)
        losses = functional.cross_entropy(squash(random), target, reduction="none")
        assert float(losses.min()) >= floor - 1e-5
        reached = functional.cross_entropy(squash(extreme), target[:1])
        assert float(reached) == pytest.approx(floor, abs=1e-5)


def test_the_floor_for_ten_classes_is_1_461() -> None:
    assert thresholds.softmax_twice_floor(10) == pytest.approx(1.461, abs=5e-4)


@pytest.mark.parametrize("deviation", [0.5, 1.4, 3.0])
def test_random_logits_lose_at_most_ln_k_plus_half_their_variance(deviation: float) -> None:
    """What START is derived from."""
    logits = deviation * torch.randn(50_000, 10, generator=torch.Generator().manual_seed(0))
    loss = float(functional.cross_entropy(logits, torch.zeros(50_000, dtype=torch.long)))
    assert math.log(10) < loss < math.log(10) + deviation**2 / 2
    assert loss < thresholds.START * math.log(10)


def heard(active: list[bool], images: int = 200) -> Heard:
    return Heard(0, images, torch.tensor(active), 0.0, 1.0, torch.zeros(4))


def test_a_unit_is_dead_when_no_image_at_all_drove_it() -> None:
    layer = Layer("act", "relu", heard([True] * 4))
    layer.late = [heard([True, False, False, False]), heard([False, True, False, False])]
    assert dead_share(Record(layers={"act": layer})) == (0.5, "act")
    layer.late = [heard([False] * 4, images=10)]
    assert dead_share(Record(layers={"act": layer}))[0] is None  # too few images to tell


def test_the_best_loss_is_a_median_and_no_single_lucky_step() -> None:
    assert best([2.0, 2.0, 0.1, 2.0, 2.0, 2.0, 1.5, 1.5, 1.5, 1.5]) == 1.5


def test_sorted_labels_stand_out_and_shuffled_ones_do_not() -> None:
    labels = torch.arange(10).repeat_interleave(60)
    record = Record(steps=[Step(2.3, 0.1)])
    record.stream.labels = labels.tolist()
    f = figures(record)
    assert f.neighbours == pytest.approx(0.9 - 9 / 599, abs=2e-3)
    for seed in range(5):
        draw = torch.Generator().manual_seed(seed)
        record.stream.labels = labels[torch.randperm(600, generator=draw)].tolist()
        z = figures(record).neighbours_z
        assert z is not None
        assert abs(z) < thresholds.Z_CHANCE


def test_the_probe_knows_labels_that_fit_from_labels_that_do_not() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(600, 1, 8, 8, generator=draw)
    teacher = torch.randn(64, 4, generator=draw)
    y = (x.flatten(1) @ teacher).argmax(1)
    for labels, fits in ((y, True), (y[torch.randperm(600, generator=draw)], False)):
        stream = Stream()
        stream.add(x, labels)
        accuracy, chance, n = label_probe(stream)
        assert n == 300
        z = (accuracy - chance) / math.sqrt(chance * (1 - chance) / n)
        assert (z > thresholds.Z_CHANCE) == fits


def test_overfitting_is_judged_by_medians_of_three() -> None:
    record = Record(steps=[Step(1 / (i + 1), 0.1) for i in range(100)], classes=10)
    losses = [2.0, 1.0, 0.1, 1.0, 1.0, 1.1, 9.0, 1.3, 1.2]  # one lucky, one unlucky evaluation
    record.held_out = [HeldOut(10 * (i + 1), loss, 0.5, 100) for i, loss in enumerate(losses)]
    assert figures(record).climb == pytest.approx(0.3 / math.log(10))


def test_consequences_come_after_their_root_whatever_their_severity() -> None:
    given = [found("relu-dead", ""), found("loss-flat", ""), found("learning-rate-high", "")]
    order = ranked([*given, found("input-unnormalised", "", severity="warning")])
    assert order[0].code == "input-unnormalised"
    assert all(f.caused_by == ("input-unnormalised",) for f in order[1:])
    order = ranked(given)
    assert [f.code for f in order] == ["learning-rate-high", "relu-dead", "loss-flat"]
    assert order[1].caused_by == ("learning-rate-high",)


def test_a_note_explains_nothing() -> None:
    order = ranked([found("learning-rate-high", "", severity="note"), found("relu-dead", "")])
    assert [f.code for f in order] == ["relu-dead", "learning-rate-high"]
    assert order[0].caused_by == ()
