"""Objectives, parameters, transforms, redirected gradients, regularisers: each by itself."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import InvalidInput
from glyphscope.visualise import Regularisers, grid, png
from glyphscope.visualise.objectives import channel, direction, layer, neuron
from glyphscope.visualise.optimise import hear, penalty_gradient
from glyphscope.visualise.parameters import fourier
from glyphscope.visualise.redirect import redirected_relus
from glyphscope.visualise.transforms import TRANSFORMS, compose, draw

HEARD = {
    "conv": torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).view(2, 3, 4, 4),
    "dense": torch.arange(10.0).view(2, 5),
}


def test_objectives_score_each_image_by_its_own_unit() -> None:
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


def test_objectives_add_subtract_and_scale() -> None:
    a, b = channel("conv", [0, 1]), channel("dense", [2, 3])
    both = 2 * a - b * 0.5 + -b
    assert both.layers == {"conv", "dense"}
    expected = 2 * a.score(HEARD) - 1.5 * b.score(HEARD)
    torch.testing.assert_close(both.score(HEARD), expected)


def test_fourier_is_an_inverse_transform_with_1_over_f() -> None:
    leaf, decode = fourier((1, 28, 28), [3])
    assert leaf.std() == pytest.approx(0.01, rel=0.1)
    one = torch.zeros_like(leaf)
    one[0, 0, 0, 3, 0] = 0.02  # three waves from left to right
    logits = torch.logit(decode(one))[0, 0]
    wave = torch.cos(2 * math.pi * 3 * torch.arange(28) / 28)
    height = 2 * 0.02 * 28 * (28 / 3) / 784  # both halves of the spectrum, 1/f, 1/(HW)
    torch.testing.assert_close(
        logits - logits.mean(), (height * wave).expand(28, 28), atol=1e-4, rtol=0
    )


def test_small_warps_move_little_and_draw_for_each_image_alone() -> None:
    transform = compose(TRANSFORMS["small"])
    alone = draw(transform, 5, [7])
    assert torch.equal(draw(transform, 5, [1, 7])[:, 1], alone[:, 0])
    image = torch.zeros(1, 1, 28, 28)
    image[:, :, 13:15, 13:15] = 1
    still = transform.apply(image, torch.zeros(1, 4))
    torch.testing.assert_close(still, image, atol=1e-5, rtol=0)
    moved = transform.apply(image, torch.tensor([[0.0, 0.0, 1.0, -1.0]]))
    torch.testing.assert_close(moved, image.roll((2, -2), (2, 3)), atol=1e-4, rtol=0)
    assert compose([]).apply(image, torch.zeros(1, 0)) is image


def test_a_blocked_gradient_is_redirected_and_a_true_one_is_left_alone() -> None:
    x = torch.tensor([[-1.0, -2.0], [3.0, -4.0]], requires_grad=True)
    network = nn.Sequential(nn.ReLU())
    weight = torch.tensor([1.0, -1.0])
    with redirected_relus(network):  # type: ignore[arg-type]
        (network(x) * weight).sum().backward()
    # Image 0 is dead: where climbing raises the input the gradient passes, elsewhere it does not.
    # Image 1 has a gradient of its own, and keeps it.
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0, 0.0], [1.0, 0.0]]
    [plain] = torch.autograd.grad((network(x) * weight).sum(), x)
    assert plain.tolist() == [[0.0, 0.0], [1.0, 0.0]]


def test_penalties_are_the_gradients_of_what_they_say() -> None:
    images = torch.rand(2, 1, 9, 9, dtype=torch.float64, requires_grad=True)
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    smooth = sum((padded.diff(dim=d).square() + 1e-4).sqrt().sum((1, 2, 3)) for d in (2, 3))
    loss = 0.3 * smooth.sum() + 0.7 * images.square().sum()  # type: ignore[union-attr]
    loss.backward()
    how = Regularisers(total_variation=0.3, l2=0.7)
    torch.testing.assert_close(penalty_gradient(images, how), images.grad)


def test_nothing_behind_the_wanted_layer_is_computed(checkpoint: Checkpoint) -> None:
    ran: list[str] = []
    for info in checkpoint.network.layers:
        module = checkpoint.network.get_submodule(info.name)
        module.register_forward_hook(lambda m, i, o, name=info.name: ran.append(name))
    heard = hear(checkpoint.network, torch.rand(1, 1, 28, 28), ["conv1", "act1"])
    assert ran == ["conv1", "act1"]
    assert heard["conv1"].shape == (1, 6, 28, 28)


def test_pictures_are_enlarged_without_blur_and_tiled_with_a_gap() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 5, 4), dtype=np.uint8)
    with Image.open(io.BytesIO(png(pixels, 3))) as image:
        found = np.asarray(image)
    assert found.shape == (15, 12)
    assert np.array_equal(found[1::3, 1::3], pixels[0])
    sheet = grid([pixels, pixels, pixels], columns=2)
    assert sheet.shape == (1, 11, 9)
    assert np.array_equal(sheet[:, 6:, :4], pixels)
    with pytest.raises(InvalidInput, match="at least one picture"):
        grid([])
