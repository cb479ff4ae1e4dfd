import math
import random
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from PIL import Image

from training import recipe
from training.sweep import plot
from training.sweep.results import Result, Results, summarise

Accuracy = Callable[[dict[str, str], int], float | None]


def results(factors: dict[str, tuple[str, ...]], replicates: int, accuracy: Accuracy) -> Results:
    settings = [tuple(zip(factors, values, strict=True)) for values in product(*factors.values())]
    cells = [
        Result(
            setting=dict(setting), replicate=r, seed=r, epochs=1, seconds=1, run="x",
            state="diverged" if accuracy(dict(setting), r) is None else "done",
            validation_accuracy=accuracy(dict(setting), r),
        )
        for setting in settings
        for r in range(replicates)
    ]  # fmt: skip
    return Results(
        recipe=recipe.load("mnist"), factors=factors, replicates=replicates,
        summary=summarise(cells, settings), cells=tuple(cells),
    )  # fmt: skip


def bars(figure: Figure) -> list[ErrorbarContainer]:
    found = figure.axes[0].containers
    return [each for each in found if isinstance(each, ErrorbarContainer)]


@pytest.mark.parametrize(
    ("values", "positions", "line"),
    [
        (("1e-6", "1e-4", "1e-5"), [-6, -4, -5], True),
        (("1", "2", "4"), [1, 2, 4], True),
        (("0", "1e-5", "1e-2"), [0, 1, 2], True),  # zero has no place on a log axis
        (("0", "0.5"), [0, 0.5], True),
        (("-1", "100"), [-1, 100], True),
        (("relu", "tanh"), [0, 1], False),
        (("1", "same"), [0, 1], False),
        (("[500, 300]", "[100]"), [0, 1], False),
    ],
)
def test_numbers_stand_where_they_belong_and_names_side_by_side(
    values: tuple[str, ...], positions: list[float], line: bool
) -> None:
    found = plot.scale(values)
    assert [found.position[value] for value in values] == pytest.approx(positions)
    assert found.line is line


def test_bars_are_mean_and_deviation_and_every_replicate_is_a_dot() -> None:
    rng = random.Random(0)
    drawn = {v: [0.97 + rng.random() / 100 for _ in range(3)] for v in ("1e-3", "1e-1", "1e-2")}
    found = results({"fit.ema": tuple(drawn)}, 3, lambda s, r: drawn[s["fit.ema"]][r])
    figure = plot.picture(found)
    (bar,) = bars(figure)
    line, caps, _ = bar.lines
    order = ("1e-3", "1e-2", "1e-1")
    assert line is not None
    assert np.asarray(line.get_xdata()).tolist() == pytest.approx([-3, -2, -1])
    assert np.asarray(line.get_ydata()).tolist() == pytest.approx(
        [np.mean(drawn[v]) for v in order]
    )
    tops = np.asarray(caps[1].get_ydata()).tolist()
    assert tops == pytest.approx([np.mean(drawn[v]) + np.std(drawn[v], ddof=1) for v in order])
    dots = [float(y) for c in figure.axes[0].collections for y in np.asarray(c.get_offsets())[:, 1]]
    expected = [accuracy for accuracies in drawn.values() for accuracy in accuracies]
    assert set(np.round(expected, 9)) <= set(np.round(dots, 9))


def test_a_second_factor_gives_a_colour_each_and_a_legend() -> None:
    figure = plot.picture(
        results(
            {"fit.epochs": ("1", "2"), "network.function": ("relu", "tanh")}, 2,
            lambda s, r: 0.9 + 0.01 * r,
        )
    )  # fmt: skip
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["relu", "tanh"]
    lines = [bar.lines[0] for bar in bars(figure)]
    assert len({line.get_color() for line in lines if line is not None}) == 2


def test_lost_trainings_are_marked_and_a_wide_range_stays_readable(tmp_path: Path) -> None:
    def accuracy(setting: dict[str, str], replicate: int) -> float | None:
        return {"1e-3": 0.985, "1e-2": 0.6, "1": None}[setting["optimiser.learning_rate"]]

    found = results({"optimiser.learning_rate": ("1e-3", "1e-2", "1")}, 2, accuracy)
    figure = plot.picture(found)
    assert "2 of 2\ndiverged" in [text.get_text() for text in figure.axes[0].texts]
    low, high = figure.axes[0].get_ylim()
    assert 0 < low < 0.6
    assert 0.985 < high <= 1
    plot.draw(found, tmp_path / "sweep.png")
    with Image.open(tmp_path / "sweep.png") as image:
        assert image.size[0] > 900


@pytest.mark.parametrize("replicates", [1, 2])
def test_a_sweep_of_which_nothing_ended_is_drawn_too(replicates: int, tmp_path: Path) -> None:
    found = results({"fit.epochs": ("1",)}, replicates, lambda s, r: None)
    plot.draw(found, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").stat().st_size > 0
    assert math.isfinite(plot.picture(found).axes[0].get_ylim()[0])
