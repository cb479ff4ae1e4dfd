import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training import order_study, recipe
from training.order_study import Study

CPU = torch.device("cpu")
TINY = [
    "split.validation=100", "network.units=[32]", "fit.epochs=2", "fit.batch_size=32",
    "fit.precision=float32",
]  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Study:
    runs = tmp_path_factory.mktemp("runs")
    return order_study.study(recipe.load("order", TINY), data_root, CPU, runs, buffer=40)


def test_every_order_is_trained_on_sorted_images(found: Study) -> None:
    assert [curve.title for curve in found.curves] == [
        "shuffle all, batch, repeat",
        "shuffle 40, batch, repeat",
        "shuffle 40, repeat, batch",
        "repeat, shuffle 40, batch",
        "batch, shuffle 40, repeat",
        "batch, repeat, shuffle 40",
        "repeat, batch, shuffle 40",
        "batch, repeat",
    ]
    for curve in found.curves:
        assert curve.order.by_class
        assert len(curve.losses) == len(curve.shares[0]) == 2 * found.steps == 2 * (500 // 32)
        assert len(curve.accuracy) == 2


def test_a_weak_shuffle_shows(found: Study) -> None:
    """Batches of one class at a time: the network forgets the classes that it saw first."""
    last = {curve.title: curve.accuracy[-1] for curve in found.curves}
    assert last["shuffle all, batch, repeat"] > 2 * last["shuffle 40, batch, repeat"]
    assert last["shuffle all, batch, repeat"] > 2 * last["batch, repeat"]


def test_shares_are_those_of_the_batches(found: Study) -> None:
    shares = {curve.title: np.array(curve.shares) for curve in found.curves}
    for share in shares.values():
        assert np.allclose(share.sum(0), 1, atol=0.01)
    assert (shares["batch, repeat"] > 0).sum(0).mean() < 2
    assert (shares["shuffle all, batch, repeat"] > 0).sum(0).mean() > 8
    assert shares["batch, repeat"][0, 0] == 1  # class 0 comes first


def test_the_first_loss_is_that_of_the_same_network(found: Study) -> None:
    """All else equal: two orders that begin with the same batch begin with the same loss."""
    one, two = (c for c in found.curves if c.title.startswith(("shuffle 40, b", "shuffle 40, r")))
    assert one.losses[0] == two.losses[0]


def test_it_is_written_as_figures_and_a_picture(found: Study, tmp_path: Path) -> None:
    path = order_study.write(found, tmp_path)
    with Image.open(path) as picture:
        assert picture.width > 1000
    values = json.loads((tmp_path / "order.json").read_text())
    assert values["curves"][1]["order"]["buffer"] == 40
    assert Study.model_validate(values) == found


def test_an_order_that_diverges_is_told_and_drawn(tmp_path: Path, data_root: Path) -> None:
    how = recipe.load("order", [*TINY, "optimiser.learning_rate=1e12"])
    found = order_study.study(how, data_root, CPU, tmp_path, buffer=40)
    assert all(curve.ended for curve in found.curves)
    assert order_study.lines(found)[0][1] == "diverged"
    order_study.plot(found)  # with no accuracy to draw
