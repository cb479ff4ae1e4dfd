"""Objectives against the same numbers taken by hand."""

import pytest
import torch

from glyphscope.visualise.objectives import channel, direction, diversity, layer, neuron

HEARD = {
    "conv": torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).view(2, 3, 4, 4),
    "dense": torch.arange(10.0).view(2, 5),
}


def test_each_image_is_scored_by_its_own_unit() -> None:
    conv, dense = HEARD["conv"], HEARD["dense"]
    assert channel("conv", [2, 0]).score(HEARD).tolist() == [
        conv[0, 2].mean().item(),
        conv[1, 0].mean().item(),
    ]
    assert channel("dense", [4, 1]).score(HEARD).tolist() == [4.0, 6.0]
    assert neuron("conv", [1, 1]).score(HEARD).tolist() == [conv[0, 1, 2, 2], conv[1, 1, 2, 2]]
    assert neuron("conv", [1, 1], (0, 3)).score(HEARD).tolist() == [
        conv[0, 1, 0, 3],
        conv[1, 1, 0, 3],
    ]
    assert layer("dense").score(HEARD)[0] == pytest.approx(dense[0].square().mean().item())
    vector = torch.tensor([1.0, 0.0, -1.0])
    expected = (conv[:, 0] - conv[:, 2]).flatten(1).mean(1)
    torch.testing.assert_close(direction("conv", vector).score(HEARD), expected)


def test_they_add_subtract_and_scale() -> None:
    a, b = channel("conv", [0, 1]), channel("dense", [2, 3])
    both = 2 * a - b * 0.5 + -b
    assert both.layers == {"conv", "dense"}
    expected = 2 * a.score(HEARD) - 1.5 * b.score(HEARD)
    torch.testing.assert_close(both.score(HEARD), expected)


def test_diversity_is_less_the_more_alike_the_channels_go_together() -> None:
    x = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    grams = [image.flatten(1) @ image.flatten(1).T for image in x]
    expected = []
    for i in range(3):
        others = [grams[j] for j in range(3) if j != i]
        alike = [torch.cosine_similarity(grams[i].flatten(), g.flatten(), 0) for g in others]
        expected.append(-sum(float(a) for a in alike) / 2)
    found = diversity("conv").score({"conv": x})
    assert found.tolist() == pytest.approx(expected, abs=1e-5)
    assert diversity("conv").score({"conv": x[:1].repeat(3, 1, 1, 1)}).tolist() == pytest.approx(
        [-1, -1, -1]
    )
