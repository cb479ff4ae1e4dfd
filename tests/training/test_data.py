from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glyphscope import preprocess
from glyphscope.errors import DataMissing, InvalidRecipe, NotFound
from glyphscope.store import Store
from training import data, experiment, recipe
from training.publish import publish

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


def test_validation_may_be_a_share(data_root: Path) -> None:
    how = recipe.load("mnist", ["split.validation=0.1"])
    assert [len(split) for split in experiment.splits(how, data_root)] == [540, 60]
    assert recipe.load("mnist", ["split.validation=50"]).model_dump_json().count("50.0") == 0
    with pytest.raises(InvalidRecipe, match="whole number of images or a share below 1"):
        recipe.load("mnist", ["split.validation=1.5"])


@pytest.mark.slow
def test_a_folder_of_ones_own_images_is_trained_judged_and_served(
    tmp_path: Path, sample: dict[str, np.ndarray]
) -> None:
    """The real digits 0 to 3 as a user would bring them: dark on light, as large colour PNGs."""
    for i, (pixels, label) in enumerate(
        zip(sample["train_images"], sample["train_labels"], strict=True)
    ):
        if label < 4:
            path = tmp_path / f"photos/digit {label}/{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(255 - pixels).resize((70, 70)).convert("RGB").save(path)
    changes = [
        f"dataset='folder:{tmp_path / 'photos'},size=24'", "network.name=mlp", "network.units=[64]",
        "split.validation=0.2", "fit.epochs=8", "fit.batch_size=16", "fit.precision=float32",
        "optimiser.name=adam", "optimiser.learning_rate=0.003", "augment={}",
    ]  # fmt: skip
    how = recipe.load("mnist", changes)
    run = experiment.run_recipe(how, tmp_path, torch.device("cpu"), tmp_path / "runs", test=True)
    metrics = run.read_json("metrics.json")["metrics"]
    assert metrics["accuracy"] > 0.8  # chance is 0.25
    assert list(metrics["per_class"]) == [f"digit {i}" for i in range(4)]
    store = Store(tmp_path / "store")
    manifest = publish(run, store, tmp_path, "own", None)
    assert manifest.input.shape == (1, 24, 24)
    test = data.load(how.dataset, "test", tmp_path)
    seen = {image.numpy().tobytes() for image in test.images}
    served = [
        preprocess.image(path.read_bytes(), manifest.input).tobytes()
        for path in (tmp_path / "photos").glob("*/*.png")
    ]
    assert seen <= set(served)
