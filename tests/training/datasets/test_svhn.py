"""SVHN's format 2, written by scipy: X (H, W, C, N) uint8, y (N, 1), 10 for the digit 0."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import io  # type: ignore[import-untyped]

from glyphscope.errors import DataMissing
from training import data, vision
from training.datasets import svhn

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
LABELS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 1], np.uint8)


def write(path: Path, images: np.ndarray = IMAGES, labels: np.ndarray = LABELS) -> Path:
    path.parent.mkdir(exist_ok=True)
    columns = images.transpose(1, 2, 3, 0) if images.ndim == 4 else images
    io.savemat(path, {"X": columns, "y": labels[:, None]})
    return path


def test_reads_the_cropped_digits_and_turns_label_10_into_0(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / f"SVHN/{split}_32x32.mat")
    train = data.load("svhn", "train", tmp_path)
    assert train.images.shape == (12, 3, 32, 32)
    assert train.images.is_contiguous()
    assert np.array_equal(train.images.numpy(), IMAGES.transpose(0, 3, 1, 2))
    assert train.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 1]
    assert data.source("svhn").labels[int(train.labels[9])] == "0"


def test_torchvision_reads_the_same(tmp_path: Path) -> None:
    """An independent reader, told this file's MD5."""
    import hashlib

    path = write(tmp_path / "SVHN/train_32x32.mat")
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()

    class Small(vision.module("datasets").SVHN):  # type: ignore[misc]
        split_list = {"train": ["", path.name, md5]}  # noqa: RUF012

    theirs, mine = Small(str(path.parent)), data.load("svhn", "train", tmp_path)
    assert np.array_equal(mine.images.numpy(), theirs.data)
    assert np.array_equal(mine.labels.numpy(), theirs.labels)


def test_extra_images_join_the_training_images_only(tmp_path: Path) -> None:
    for split in ("train", "test", "extra"):
        write(tmp_path / f"SVHN/{split}_32x32.mat")
    train, plain = (data.load(name, "train", tmp_path) for name in ("svhn-extra", "svhn"))
    assert len(train) == 24
    assert torch.equal(train.images[:12], plain.images)
    assert len(data.load("svhn-extra", "test", tmp_path)) == 12


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (IMAGES, LABELS - 1, "1 to 10, where 10 means the digit 0"),
        (IMAGES, LABELS[:5], "12 images but 5 labels"),
        (IMAGES.astype(float), LABELS, "X must be uint8"),
        (IMAGES[:, :, :, 0], LABELS, "X must be uint8"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, images: np.ndarray, labels: np.ndarray, said: str
) -> None:
    path = write(tmp_path / "train_32x32.mat", images, labels)
    with pytest.raises(DataMissing, match=said):
        svhn.read_mat(path)


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", b"x" * 5000])
def test_a_file_that_is_no_mat_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train_32x32.mat"
    path.write_bytes(content)
    with pytest.raises(DataMissing, match=r"train_32x32\.mat cannot be read as SVHN's \.mat"):
        svhn.read_mat(path)


def test_a_truncated_mat_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "train_32x32.mat")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataMissing, match="cannot be read"):
        svhn.read_mat(path)
