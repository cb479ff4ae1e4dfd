import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glyphscope.errors import DataMissing
from training import data_page, data_report
from training.data import Split
from training.data_report import DataReport, SplitFacts, examine

RANDOM = np.random.default_rng(0)
NOWHERE = Path("no data root is needed")


@pytest.fixture
def own(tmp_path: Path) -> str:
    """Ten images to train, four to test, with what a report must find:

    train 3 repeats train 0, train 4 repeats it under another label, train 9 is blank; test 1 is
    train 2, test 2 is train 1 under another label, test 3 is train 0.
    """
    train = RANDOM.integers(1, 255, (10, 6, 5, 3), dtype=np.uint8)
    train[3] = train[4] = train[0]
    train[9] = 7
    test = RANDOM.integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
    test[1], test[2], test[3] = train[2], train[1], train[0]
    y_train = [0, 1, 1, 0, 1, 0, 0, 0, 0, 0]
    path = tmp_path / "own.npz"
    np.savez(path, x_train=train, y_train=y_train, x_test=test, y_test=[0, 1, 0, 0],
             names=["circle", "square", "star"])  # fmt: skip
    return f"npz:{path}"


def test_repeats_and_leaks_are_counted(own: str) -> None:
    report = examine(own, NOWHERE).report
    train, test = report.splits["train"], report.splits["test"]
    assert train.counts == {"circle": 7, "square": 3, "star": 0}
    assert (train.repeated, train.disputed, train.blank) == (2, 1, 1)
    assert (test.repeated, test.disputed, test.blank) == (0, 0, 0)
    assert (report.leaked, report.leaked_disputed) == (3, 1)
    assert [(p.train, p.test, p.train_label, p.test_label) for p in report.pairs] == [
        (2, 1, "square", "square"),
        (1, 2, "square", "circle"),
        (0, 3, "circle", "circle"),
    ]


def test_figures_are_numpys(own: str) -> None:
    report = examine(own, NOWHERE).report
    pixels = np.load(own.removeprefix("npz:"))["x_train"] / 255
    facts = report.splits["train"]
    assert facts.mean == pytest.approx(pixels.mean((0, 1, 2)), abs=1e-6)
    assert facts.std == pytest.approx(pixels.std((0, 1, 2)), abs=1e-6)
    assert (facts.least, facts.most) == (round(pixels.min() * 255), round(pixels.max() * 255))
    assert (report.channels, report.height, report.width) == (3, 6, 5)


def test_copies_are_what_numpy_finds(data_root: Path) -> None:
    found = examine("mnist", data_root)
    flat = found.shown.images.flatten(1).numpy()
    assert found.report.splits["train"].repeated == len(flat) - len(np.unique(flat, axis=0))


def test_a_split_that_is_not_there_is_told(tmp_path: Path, data_root: Path) -> None:
    folder = tmp_path / "MNIST/raw"
    folder.mkdir(parents=True)
    for path in (data_root / "MNIST/raw").glob("t10k*"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "train-images-idx3-ubyte").write_bytes(b"broken")
    (folder / "train-labels-idx1-ubyte").write_bytes(b"broken")
    found = examine("mnist", tmp_path)
    assert list(found.report.splits) == ["test"]
    assert "cannot be read" in found.report.missing["train"]
    assert "The train split is not here" in data_page.render(found, data_page.counts(found.report))
    for path in folder.glob("t10k*"):
        path.write_bytes(b"broken")
    with pytest.raises(DataMissing, match="train-images"):
        examine("mnist", tmp_path)


def test_examples_are_of_their_class_and_spread_over_it(data_root: Path) -> None:
    split = examine("mnist", data_root).shown
    zeros = split.images[split.labels == 0]
    found = data_report.examples(split, 0, 5)
    assert torch.equal(found[0], zeros[0])
    assert torch.equal(found[-1], zeros[-1])
    mean = data_report.mean_image(split, 0)
    assert mean is not None
    assert np.abs(mean.numpy() - zeros.numpy().mean(0)).max() <= 0.5


def test_the_report_is_files_that_need_nothing_else(own: str, tmp_path: Path) -> None:
    page = data_page.write(examine(own, NOWHERE), tmp_path / "report")
    html = page.read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)
    assert "circle" in html
    assert 'but <span class="wrong">square</span> in train' in html
    assert not list((tmp_path / "report").glob("*.part"))
    values = json.loads((tmp_path / "report/data.json").read_text())
    assert values["leaked"] == 3
    assert "png" not in values["pairs"][0]
    for name in ("classes.png", "counts.png"):
        with Image.open(tmp_path / "report" / name) as picture:
            assert picture.width > 200


def test_names_of_classes_are_escaped(tmp_path: Path) -> None:
    images = RANDOM.integers(0, 256, (8, 5, 5), dtype=np.uint8)
    path = tmp_path / "own.npz"
    np.savez(path, images=images, labels=[0, 1] * 4, names=["<b>bold", "$x^2$ & more"])
    found = examine(f"npz:{path}", NOWHERE)
    html = data_page.render(found, data_page.counts(found.report))
    assert "<b>bold" not in html
    assert "$x^2$" in html.split("<svg")[2]  # as it is, and not as a formula


def test_the_sheet_shows_every_class_at_its_pixels(own: str) -> None:
    found = examine(own, NOWHERE)
    sheet = np.asarray(data_page.sheet(found))
    first = data_report.examples(found.shown, 0)[0]
    scale = round(56 / 6)
    grown = np.moveaxis(first.numpy().repeat(scale, 1).repeat(scale, 2), 0, -1)
    row = sheet[24 : 24 + len(grown), :, 0]
    windows = np.lib.stride_tricks.sliding_window_view(row, grown.shape[:2])
    assert (windows == grown[:, :, 0]).all((2, 3)).any()


def test_many_classes_stand_in_columns() -> None:
    facts = SplitFacts(
        n=70, counts={f"class {i}": i for i in range(70)}, mean=(0.1,), std=(0.2,), least=0,
        most=255, repeated=0, disputed=0, blank=0,
    )  # fmt: skip
    report = DataReport(
        dataset="many", note="", labels=tuple(facts.counts), preprocessing="picture", mirrors=True,
        channels=1, height=8, width=8, splits={"train": facts}, missing={}, leaked=0,
        leaked_disputed=0, pairs=(),
    )  # fmt: skip
    split = Split(torch.zeros(70, 1, 8, 8, dtype=torch.uint8), torch.arange(70))
    sheet = data_page.sheet(data_report.Examined(report, split))
    assert sheet.height < 24 * 2 + 32 * (8 * 7 + 8)
