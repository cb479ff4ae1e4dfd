import pytest
import torch

from glyphscope.visualise.knobs import Warp
from glyphscope.visualise.presets import WARPS
from glyphscope.visualise.transforms import draw, transform


def test_small_warps_move_little_and_draw_for_each_image_alone() -> None:
    small = transform(WARPS["small"])
    alone = draw(small, 5, [7])
    assert torch.equal(draw(small, 5, [1, 7])[:, 1], alone[:, 0])
    image = torch.zeros(1, 1, 28, 28)
    image[:, :, 13:15, 13:15] = 1
    still = small.apply(image, torch.zeros(1, 4))
    torch.testing.assert_close(still, image, atol=1e-5, rtol=0)
    moved = small.apply(image, torch.tensor([[0.0, 0.0, 1.0, -1.0]]))
    torch.testing.assert_close(moved, image.roll((2, -2), (2, 3)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("side", [28, 224])
def test_sizes_are_relative_to_the_image(side: int) -> None:
    image = torch.zeros(1, 1, side, side)
    image[:, :, side // 2, side // 2] = 1
    moved = transform(WARPS["small"]).apply(image, torch.tensor([[0.0, 0.0, 1.0, 0.0]]))
    [_, _, _, column] = (moved == moved.max()).nonzero()[0].tolist()
    assert column == side // 2 - 2 * side // 28


def test_no_sizes_leave_the_images_as_they_are() -> None:
    image = torch.rand(1, 1, 28, 28)
    assert transform(Warp()).apply(image, torch.zeros(1, 0)) is image
