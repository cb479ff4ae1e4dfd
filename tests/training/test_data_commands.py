"""``glyphscope-train data`` and ``order`` as a user calls them."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import Call


def test_data_shows_the_figures_and_writes_the_report(call: Call, tmp_path: Path) -> None:
    code, out, err = call("data", "mnist")
    assert code == 0, err
    assert "10 classes, 28x28 grey" in out
    assert "no test image is in the training split" in out
    assert (tmp_path / "runs/data-mnist/report.html").is_file()


def test_data_of_the_users_own_names_its_folder(call: Call, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images, y_train=[0, 1] * 10, x_test=images[:2],
             y_test=[0, 0])  # fmt: skip
    code, out, _ = call("data", "npz:own.npz,size=16")
    assert code == 0
    assert "2 test images are in the training split too, 1 under another label" in out
    assert (tmp_path / "runs/data-npz-own.npz-size-16/data.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["data", "minst"], "unknown data set 'minst'; known: mnist, fashion-mnist"),
        (["data", "folder:nowhere"], "nowhere is no folder"),
        (["data", "npz:none.npz,sice=3"], "unknown setting 'sice'"),
        (["order", "mnist", "--set", "order.pipeline=shuffle"], "must hold batch"),
        (["order", "nothing"], "unknown recipe 'nothing'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(call: Call, arguments: list[str], said: str) -> None:
    code, _, err = call(*arguments)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_order_shows_a_line_an_order(call: Call, tmp_path: Path) -> None:
    small = ["split.validation=100", "network.units=[8]", "fit.epochs=1", "fit.batch_size=100"]
    code, out, err = call("order", *[f"--set={change}" for change in small], "--buffer", "50")
    assert code == 0, err
    assert "repeat, shuffle 50, batch" in out
    assert "one seed each, 500 images sorted by class, 1 epoch;" in out
    assert (tmp_path / "runs/order-order/order.png").is_file()
