from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glyphscope.errors import DataMissing
from training import data

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (12, 9, 11), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (12, 9, 11, 3), dtype=np.uint8)
LABELS = np.arange(12) % 3


def write(path: Path, **arrays: Any) -> str:
    np.savez(path / "own.npz", **arrays)
    return f"npz:{path / 'own.npz'}"


def load(name: str, split: str = "train") -> data.Split:
    return data.load(name, split, Path("no data root is needed"))


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (GREY, GREY[:, None]),
        (GREY[:, None], GREY[:, None]),
        (GREY[..., None], GREY[:, None]),
        (COLOUR, COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR / 255, COLOUR.transpose(0, 3, 1, 2)),
        ((GREY / 255).astype(np.float32), GREY[:, None]),
        (GREY.astype(np.int64), GREY[:, None]),
        (GREY > 127, np.where(GREY > 127, 255, 0)[:, None]),
    ],
)
def test_images_in_every_layout_and_number(
    tmp_path: Path, images: np.ndarray, expected: np.ndarray
) -> None:
    name = write(tmp_path, x_train=images, y_train=LABELS, x_test=images[:4], y_test=LABELS[:4])
    train, test = load(name), load(name, "test")
    assert train.images.dtype == torch.uint8
    assert np.array_equal(train.images.numpy(), expected)
    assert np.array_equal(test.images.numpy(), expected[:4])
    assert train.labels.tolist() == LABELS.tolist()
    assert data.source(name).labels == ("0", "1", "2")
    assert data.source(name).note == ""


@pytest.mark.parametrize(
    ("y", "more", "names", "index"),
    [
        (LABELS + 1, {}, ("1", "2", "3"), LABELS),
        (LABELS[:, None], {}, ("0", "1", "2"), LABELS),
        (LABELS.astype(float), {}, ("0", "1", "2"), LABELS),
        (np.array(["b", "c", "a"])[LABELS], {}, ("a", "b", "c"), (LABELS + 1) % 3),
        (LABELS, {"names": ["x", "y", "z", "w"]}, ("x", "y", "z", "w"), LABELS),
        (np.array(["y", "x", "x"])[LABELS], {"names": ["y", "x"]}, ("y", "x"), LABELS > 0),
        (np.array([b"b", b"c", b"a"])[LABELS], {}, ("a", "b", "c"), (LABELS + 1) % 3),
    ],
)
def test_labels_as_numbers_or_words(
    tmp_path: Path, y: np.ndarray, more: dict[str, Any], names: tuple[str, ...], index: np.ndarray
) -> None:
    name = write(tmp_path, x_train=GREY, y_train=y, x_test=GREY, y_test=y, **more)
    assert data.source(name).labels == names
    assert load(name).labels.tolist() == index.astype(int).tolist()


def test_labels_beside_y_train_are_names(tmp_path: Path) -> None:
    name = write(tmp_path, x_train=GREY, y_train=LABELS, labels=["x", "y", "z"])
    assert data.source(name).labels == ("x", "y", "z")


def test_without_a_test_split_a_share_is_held_out(tmp_path: Path) -> None:
    images = RANDOM.integers(0, 256, (300, 8, 8), dtype=np.uint8)
    name = write(tmp_path, images=images, labels=np.arange(300) % 3)
    assert torch.bincount(load(name, "test").labels).tolist() == [20, 20, 20]
    assert len(load(name)) == 240
    assert len(load(f"{name},test=0.5")) == 150
    assert "20% of each class" in data.source(name).note


def test_size_and_channels_may_be_asked_for(tmp_path: Path) -> None:
    name = write(tmp_path, x_train=COLOUR, y_train=LABELS, x_test=COLOUR, y_test=LABELS)
    found = load(f"{name},size=16,channels=1")
    assert found.images.shape == (12, 1, 16, 16)
    plain = load(f"{name},channels=1").images[:, 0].numpy()
    luma = COLOUR @ np.array([0.299, 0.587, 0.114])
    assert abs(plain - luma).max() <= 0.5 + 1e-9
    grey = write(tmp_path, x_train=GREY, y_train=LABELS)
    assert load(f"{grey},channels=3").images.shape[1] == 3


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": GREY}, r"no array 'labels' in it \(found: x\); it needs x_train and y_train, or"),
        ({"x_train": GREY}, "no array 'y_train'"),
        ({"images": GREY, "labels": LABELS[:5]}, "12 images in images but 5 labels in labels"),
        ({"images": GREY, "labels": np.eye(12)}, r"not \(12, 12\); for one-hot labels"),
        ({"images": GREY, "labels": LABELS + 0.5}, "whole numbers or words, not float64"),
        ({"images": GREY * 1.0, "labels": LABELS}, "images: fractional pixels must lie in 0..1"),
        ({"images": GREY * 300.0 - 2**15, "labels": LABELS}, "in 0..1"),
        ({"images": GREY.astype(int) - 1, "labels": LABELS}, "in 0..255"),
        ({"images": GREY[:, :, :, None].repeat(4, 3), "labels": LABELS}, "1 or 3 channels, not"),
        ({"images": GREY[0], "labels": LABELS}, r"not \(9, 11\)"),
        ({"images": GREY[:, :3], "labels": LABELS}, r"4 to 1024 pixels a side, not \(3, 11\)"),
        ({"images": GREY[:0], "labels": LABELS[:0]}, "one label an image"),
        ({"images": np.array(["a"] * 12), "labels": LABELS}, "must be"),
        ({"images": GREY.astype(object), "labels": LABELS}, "cannot be read: Object arrays"),
        (
            {"x_train": GREY, "y_train": LABELS, "x_test": GREY, "y_test": LABELS + 2},
            "labels in y_test that are no class: 3, 4; there are 3 classes, 0 to 2",
        ),
        ({"x_train": GREY, "y_train": LABELS, "names": ["a", "b"]}, "that are no class: 2"),
        ({"x_train": GREY, "y_train": LABELS, "names": ["a", "a"]}, "same name in 'names'"),
        ({"x_train": GREY, "y_train": LABELS, "x_test": GREY}, "no array 'y_test'"),
    ],
)
def test_what_does_not_fit_is_explained(
    tmp_path: Path, arrays: dict[str, np.ndarray], said: str
) -> None:
    name = write(tmp_path, **arrays)
    with pytest.raises(DataMissing, match=said):
        (load(name), load(name, "test"))


def test_files_that_are_no_archive_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="is no file"):
        data.source(f"npz:{tmp_path / 'none.npz'}")
    path = tmp_path / "own.npz"
    path.write_bytes(b"hello")
    with pytest.raises(DataMissing, match=r"is no \.npz archive"):
        data.source(f"npz:{path}")
    with path.open("wb") as file:
        np.save(file, GREY)
    with pytest.raises(DataMissing, match="is a single array"):
        data.source(f"npz:{path}")
