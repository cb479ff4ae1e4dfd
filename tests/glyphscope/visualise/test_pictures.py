import io

import numpy as np
import pytest
from PIL import Image

from glyphscope.errors import InvalidInput
from glyphscope.visualise import grid, png


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
