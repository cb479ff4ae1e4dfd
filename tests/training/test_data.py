from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from glyphscope.errors import DataMissing, NotFound
from training import data

WriteIdx = Callable[..., None]


def test_reads_official_files_with_their_labels(
    data_root: Path, sample: dict[str, np.ndarray]
) -> None:
    train = data.load("mnist", "train", data_root)
    assert train.images.shape == (600, 1, 28, 28)
    assert train.images.dtype == torch.uint8
    assert np.array_equal(train.images[:, 0].numpy(), sample["train_images"])
    assert np.array_equal(train.labels.numpy(), sample["train_labels"])
    assert len(data.load("mnist", "test", data_root)) == 200


def test_emnist_is_turned_upright_and_letters_start_at_zero(
    tmp_path: Path, write_idx: WriteIdx
) -> None:
    upright = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
    for part in ("train", "test"):
        stem = tmp_path / f"EMNIST/raw/emnist-letters-{part}"
        write_idx(stem.with_name(stem.name + "-images-idx3-ubyte"), upright.swapaxes(1, 2), False)
        write_idx(stem.with_name(stem.name + "-labels-idx1-ubyte"), np.array([1, 26]), False)
    split = data.load("emnist-letters", "train", tmp_path)
    assert np.array_equal(split.images[:, 0].numpy(), upright)
    assert [data.source("emnist-letters").labels[i] for i in split.labels] == ["A", "Z"]


def test_label_sets_follow_the_official_mappings() -> None:
    assert len(data.source("emnist-byclass").labels) == 62
    assert "".join(data.source("emnist-balanced").labels) == (
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    )


def test_a_derived_split_that_is_absent_is_not_searched_for_on_the_network(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="no official one"):
        data.load("emnist-subset", "train", tmp_path)


def test_a_truncated_file_is_named(tmp_path: Path, write_idx: WriteIdx) -> None:
    path = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    write_idx(path, np.zeros((2, 28, 28)), packed=False)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataMissing, match="train-images-idx3-ubyte cannot be read"):
        data.read_idx(path)


def test_unknown_names_list_the_known_ones(data_root: Path) -> None:
    with pytest.raises(NotFound, match="fashion-mnist"):
        data.load("cifar", "train", data_root)
    with pytest.raises(NotFound, match="train, test"):
        data.load("mnist", "validation", data_root)


def test_validation_is_held_out_by_class_and_by_seed(data_root: Path) -> None:
    train = data.load("mnist", "train", data_root)
    rest, held = data.hold_out(train, 100, seed=0)
    assert (len(rest), len(held)) == (500, 100)
    together = torch.cat([rest.images, held.images]).flatten(1)
    assert len(together.unique(dim=0)) == len(train.images.flatten(1).unique(dim=0))
    assert torch.bincount(held.labels).tolist() == [10] * 10
    again = data.hold_out(train, 100, seed=0)[1]
    other = data.hold_out(train, 100, seed=1)[1]
    assert torch.equal(held.images, again.images)
    assert not torch.equal(held.images, other.images)


def test_holding_out_everything_is_refused(data_root: Path) -> None:
    with pytest.raises(DataMissing, match="600"):
        data.hold_out(data.load("mnist", "train", data_root), 600, seed=0)
