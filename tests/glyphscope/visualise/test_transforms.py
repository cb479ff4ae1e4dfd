import pytest
import torch
from torch.nn import functional

from glyphscope.visualise.knobs import Warp
from glyphscope.visualise.presets import WARPS
from glyphscope.visualise.transforms import draw, matrices, places, warped


def test_every_image_draws_for_itself_within_the_sizes() -> None:
    sizes = Warp(jitter=0.1, degrees=90, scale=0.25)
    alone = draw(sizes, 500, [7])
    assert alone.shape == (500, 1, 3, 2)
    assert torch.equal(draw(sizes, 500, [1, 7])[:, 1:], alone)
    assert 0.19 < alone[..., 2, :].abs().max() <= 0.2  # the sampling grid is 2 wide
    zoom = alone[:, 0, :2].det().sqrt()
    assert 1 / 1.25 <= zoom.min() < 0.82
    assert 1.3 < zoom.max() <= 1 / 0.75


def test_small_warps_move_little() -> None:
    image = torch.zeros(1, 1, 28, 28)
    image[:, :, 13:15, 13:15] = 1
    small = WARPS["small"]
    still = warped(image, places(28, 28) @ matrices(small, torch.zeros(1, 4)))
    torch.testing.assert_close(still, image, atol=1e-5, rtol=0)
    moved = warped(image, places(28, 28) @ matrices(small, torch.tensor([[0.0, 0.0, 1.0, -1.0]])))
    torch.testing.assert_close(moved, image.roll((2, -2), (2, 3)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("side", [28, 224])
def test_sizes_are_relative_to_the_image(side: int) -> None:
    image = torch.zeros(1, 1, side, side)
    image[:, :, side // 2, side // 2] = 1
    right = matrices(WARPS["small"], torch.tensor([[0.0, 0.0, 1.0, 0.0]]))
    moved = warped(image, places(side, side) @ right)
    [_, _, _, column] = (moved == moved.max()).nonzero()[0].tolist()
    assert column == side // 2 - 2 * side // 28


def test_pixels_are_looked_up_as_torchs_own_affine_grid_has_it() -> None:
    warps = draw(Warp(jitter=0.2, degrees=40, scale=0.3), 1, [1, 2, 3])[0]
    expected = functional.affine_grid(warps.mT.contiguous(), [3, 1, 9, 14], align_corners=False)
    found = places(9, 14) @ warps
    torch.testing.assert_close(found, expected.flatten(1, 2))
