"""The frames that are kept: the same ones for the same request, at any speed."""

import numpy as np
import pytest

from service.maximise.film import MOST_FRAMES, Film, kept_steps, smaller


@pytest.mark.parametrize("steps", [1, 2, 16, 128, 4096])
def test_steps_end_with_the_last_and_never_repeat(steps: int) -> None:
    kept = kept_steps(steps)
    assert kept[-1] == steps
    assert list(kept) == sorted(set(kept))
    assert kept[0] >= 1
    assert len(kept) <= MOST_FRAMES


def grey(step: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((1, 1, 4, 4), step, np.uint8)


def test_frame_beside_frame_and_the_picture_last() -> None:
    film = Film(100, 2, (1, 4, 4))
    for step in range(1, 101):
        film.add(step, [7], grey(step))
    strip = film.strips({7: grey(255)[0]})[7]
    assert strip.shape == (1, 4, 4 * (len(film.steps) + 1))
    assert strip[0, 0, ::4].tolist() == [*film.steps, 255]


def test_a_library_that_shows_few_steps_gives_each_until_the_next() -> None:
    film = Film(100, 1, (1, 4, 4))
    for step in range(20, 101, 20):
        film.add(step, [0], grey(step))
    shown = film.strips({0: grey(255)[0]})[0][0, 0, ::4].tolist()
    assert shown == [*(-(-step // 20) * 20 for step in film.steps), 255]


def test_what_was_over_early_rests_on_the_picture() -> None:
    film = Film(100, 1, (1, 4, 4))
    film.add(1, [0], grey(1))
    shown = film.strips({0: grey(255)[0], 3: grey(9)[0]})
    assert shown[0][0, 0, ::4].tolist() == [1, *[255] * len(film.steps)]
    assert set(shown[3].ravel().tolist()) == {9}


def test_many_large_pictures_have_small_frames() -> None:
    film = Film(100, 2048, (3, 224, 224))
    film.add(1, [0], np.zeros((1, 3, 224, 224), np.uint8))
    strip = film.strips({0: np.zeros((3, 224, 224), np.uint8)})[0]
    assert strip.size * 2048 <= 2**25 * 1.1


def test_smaller_is_the_mean_of_blocks() -> None:
    image = np.arange(36, dtype=np.uint8).reshape(1, 6, 6)
    expected = [[[7, 9, 11], [19, 21, 23], [31, 33, 35]]]
    found = smaller(image, 2)
    naive = [
        [round(float(image[0, y : y + 2, x : x + 2].mean())) for x in (0, 2, 4)] for y in (0, 2, 4)
    ]
    assert found.tolist() == [naive]
    assert np.abs(found.astype(int) - np.array(expected)).max() <= 4
    assert smaller(image, 4).shape == (1, 1, 1)
