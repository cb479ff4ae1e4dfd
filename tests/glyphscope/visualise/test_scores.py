"""Figures beside a picture, against the naive way to get each."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glyphscope.checkpoint import Checkpoint
from glyphscope.embedding import Embedding
from glyphscope.features import features
from glyphscope.preprocess import to_tensor
from glyphscope.roughness import high_frequency, total_variation
from glyphscope.statistics import QUANTILES, Statistics
from glyphscope.visualise import MaximisationRequest, Score, UnitImage, resolve, score
from glyphscope.visualise import scores as module


def picture(unit: int, seed: int, *, dead: bool = False, best: float | None = 2.0) -> UnitImage:
    pixels = np.random.default_rng(seed).integers(0, 256, (1, 28, 28), np.uint8)
    return UnitImage(unit, 3.0, best, dead, pixels)


def asked(checkpoint: Checkpoint, **more: object) -> MaximisationRequest:
    given = {"layer": "logits", "units": [0, 1, 2], **more}
    return resolve(checkpoint.network, MaximisationRequest.model_validate(given))


@pytest.fixture
def known(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """It knows how rough the best images of each unit of logits are: 0.5 + its number, twice."""
    units = 10
    plain = dict.fromkeys(("lowest", "highest", "mean", "std", "active"), torch.zeros(units))
    values = {
        **plain,
        "dead": torch.zeros(units, dtype=torch.bool),
        "highest": 2 + torch.arange(units) / 10,
        "quantiles": 1 + torch.zeros(units, len(QUANTILES)),
        "class_mean": torch.zeros(units, 10),
        "top_high_frequency": torch.arange(units) + 0.5,
        "top_total_variation": torch.arange(units) + 0.25,
    }
    statistics = Statistics({f"logits.{name}": tensor for name, tensor in values.items()})
    monkeypatch.setattr(Statistics, "_twins", lambda *_: [])
    return replace(checkpoint, statistics=statistics)


def shades(found: UnitImage) -> torch.Tensor:
    return torch.from_numpy(found.pixels[None]).float() / 255


def test_roughness_is_told_against_the_units_own_best_images(known: Checkpoint) -> None:
    pictures = [picture(2, 0), picture(0, 1)]
    found = score(known, asked(known), pictures)
    for one, at in zip(found, pictures, strict=True):
        assert one.ratio == 1.5
        high, variation = float(high_frequency(shades(at))), float(total_variation(shades(at)))
        assert one.high_frequency == pytest.approx(high / (at.unit + 0.5), rel=1e-5)
        assert one.total_variation == pytest.approx(variation / (at.unit + 0.25), rel=1e-5)


def test_variants_are_all_of_one_unit(known: Checkpoint) -> None:
    request = asked(known, units=[2], variants=3)
    first, second = score(known, request, [picture(0, 5), picture(1, 5)])
    assert first == second
    high = float(high_frequency(shades(picture(0, 5))))
    assert first.high_frequency == pytest.approx(high / 2.5, rel=1e-5)


def test_a_sum_has_no_best_images(known: Checkpoint) -> None:
    objective = [{"layer": "logits", "unit": 1}, {"layer": "logits", "unit": 2, "weight": -1}]
    [found] = score(
        known, asked(known, objective=objective, units="all"), [picture(0, 0, best=None)]
    )
    assert found == Score()


def test_r_is_0_at_the_median_and_1_at_the_highest(known: Checkpoint) -> None:
    for unit in (0, 5):
        [found] = score(known, asked(known), [picture(unit, 0)])
        # the picture's is 3, the median 1, the highest 2 + unit / 10
        assert found.r == pytest.approx((3 - 1) / (1 + unit / 10))


def test_dead_or_unknown_is_none(known: Checkpoint, checkpoint: Checkpoint) -> None:
    dead, alive = score(known, asked(known), [picture(1, 0, dead=True), picture(1, 0, best=0.0)])
    assert dead == Score()
    assert (alive.ratio, alive.high_frequency is None) == (None, False)
    assert score(checkpoint, asked(checkpoint), [picture(1, 0)]) == [Score(ratio=1.5)]


def test_the_nearest_image_is_that_of_the_last_features(checkpoint: Checkpoint) -> None:
    pixels = np.stack([picture(0, seed).pixels for seed in range(6)])
    theirs = features(checkpoint.network, to_tensor(pixels, checkpoint.manifest.input))
    values = {
        "points": torch.zeros(6, 2),
        "indices": torch.arange(100, 106, dtype=torch.int32),
        "labels": torch.arange(6, dtype=torch.int32),
        "answers": torch.arange(6, dtype=torch.int32),
        "features": theirs,
        "centre": torch.zeros(theirs.shape[1]),
        "axes": torch.eye(theirs.shape[1]),
    }
    placed = replace(checkpoint, embedding=Embedding(values))
    found = score(placed, asked(placed), [picture(0, 4), picture(1, 2)])
    assert [one.nearest.index for one in found if one.nearest] == [104, 102]


def test_many_are_looked_at_in_parts(known: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [picture(n, n) for n in range(5)]
    whole = score(known, asked(known), pictures)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    assert score(known, asked(known), pictures) == whole
