import numpy as np
import pytest

from glyphscope import preprocess
from glyphscope.errors import EmptyDrawing, InvalidInput, TooLarge
from glyphscope.preprocess import PREPROCESSING
from glyphscope.spec import InputSpec
from glyphscope.strokes import draw, segments

MNIST, EMNIST = InputSpec(), InputSpec(preprocessing="emnist")
SEVEN = [[[4, 4], [20, 4], [10, 26]]]


def test_ink_is_the_distance_to_the_nearest_line() -> None:
    lines = segments([[[5, 5], [20, 9]], [[3, 20]]])
    ink = draw(lines, 28, 28, pen=3, soft=1)
    for y in range(28):
        for x in range(28):
            best = min(
                np.hypot(x + 0.5 - px, y + 0.5 - py)
                for (ax, ay), (bx, by) in lines
                for t in np.linspace(0, 1, 400)
                for px, py in [(ax + t * (bx - ax), ay + t * (by - ay))]
            )
            assert ink[y, x] == pytest.approx(min(max(1.5 - best + 0.5, 0), 1), abs=0.01)


def test_size_and_place_on_the_canvas_do_not_matter() -> None:
    small = preprocess.strokes(SEVEN, MNIST)
    moved = [[[300 + 17 * x, 40 + 17 * y] for x, y in stroke] for stroke in SEVEN]
    assert np.abs(preprocess.strokes(moved, MNIST).astype(int) - small).max() <= 1


def test_the_ink_fills_the_box_and_mnist_has_its_mass_in_the_middle() -> None:
    square = [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]]
    for spec in (MNIST, EMNIST):
        pixels = preprocess.strokes(square, spec)[0]
        rows = np.flatnonzero((pixels > 127).any(1))
        box = PREPROCESSING[spec.preprocessing].box * 28
        assert rows[-1] - rows[0] + 1 == pytest.approx(box, abs=1)
    pixels = preprocess.strokes(SEVEN, MNIST)[0].astype(float)
    ys, xs = np.mgrid[0:28, 0:28] + 0.5
    assert (xs * pixels).sum() / pixels.sum() == pytest.approx(14.5, abs=0.2)
    assert (ys * pixels).sum() / pixels.sum() == pytest.approx(14.5, abs=0.2)


def test_a_dot_is_a_dot_in_the_middle() -> None:
    pixels = preprocess.strokes([[[7, 3]]], EMNIST)[0]
    assert pixels[13:15, 13:15].min() > 230
    assert 0 < (pixels > 0).sum() < 60


def test_points_that_stand_still_are_no_trouble() -> None:
    assert preprocess.strokes([[[1, 1], [1, 1], [1, 1]]], MNIST).max() == 255


@pytest.mark.parametrize("empty", [[], [[]], [[], []]])
def test_an_empty_drawing_is_said_to_be_empty(empty: list[list[list[float]]]) -> None:
    with pytest.raises(EmptyDrawing):
        preprocess.strokes(empty, MNIST)


@pytest.mark.parametrize(
    "bad",
    [
        [[[1]]],
        [[[1, 2, 3]]],
        [[1, 2]],
        [[["a", "b"]]],
        [[[0, float("nan")]]],
        [[[0, 1e300]]],
        [[[1, 2], [3]]],
    ],
)
def test_points_that_are_no_points_are_refused(bad: list[list[list[float]]]) -> None:
    with pytest.raises(InvalidInput, match="stroke 0"):
        preprocess.strokes(bad, MNIST)


def test_a_drawing_has_a_largest_size() -> None:
    with pytest.raises(TooLarge, match="20000"):
        preprocess.strokes([[[0, i] for i in range(20_001)]], MNIST)
