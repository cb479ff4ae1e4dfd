"""CIFAR-10 in torchvision's files and in the two archives, each written small in its format."""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glyphscope.errors import DataMissing
from training import data, vision
from training.datasets import cifar

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
LABELS = list(range(10))


@pytest.fixture
def official(tmp_path: Path) -> Any:
    """Batches as they were published (rows of red, green, blue planes), and a reader of
    torchvision's that expects these files' MD5 sums."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()

    def write(name: str, value: object) -> list[str]:
        content = pickle.dumps(value, protocol=2)
        (folder / name).write_bytes(content)
        return [name, hashlib.md5(content, usedforsecurity=False).hexdigest()]

    rows = IMAGES.transpose(0, 3, 1, 2).reshape(10, -1)
    train = [
        write(
            f"data_batch_{i + 1}", {"data": rows[2 * i : 2 * i + 2], "labels": [2 * i, 2 * i + 1]}
        )
        for i in range(5)
    ]
    test = [write("test_batch", {"data": rows[::-1], "labels": LABELS[::-1]})]
    names = write("batches.meta", {"label_names": list(cifar.CLASSES)})

    class Small(vision.module("datasets").CIFAR10):  # type: ignore[misc]
        train_list = train
        test_list = test
        meta = {"filename": names[0], "key": "label_names", "md5": names[1]}  # noqa: RUF012

    return Small


def test_reads_the_official_batches(tmp_path: Path, official: Any) -> None:
    train = cifar.batches("train", tmp_path, official)
    test = cifar.batches("test", tmp_path, official)
    assert np.array_equal(train.images.numpy(), IMAGES.transpose(0, 3, 1, 2))
    assert train.labels.tolist() == LABELS
    assert np.array_equal(test.images.numpy(), IMAGES[::-1].transpose(0, 3, 1, 2))
    assert test.labels.tolist() == LABELS[::-1]


def test_a_changed_batch_is_refused_before_it_is_unpickled(tmp_path: Path, official: Any) -> None:
    path = tmp_path / "cifar-10-batches-py/data_batch_3"
    path.write_bytes(b"cos\nabort\n(tR.")
    with pytest.raises(DataMissing, match="missing or changed"):
        cifar.batches("train", tmp_path, official)


def test_without_a_network_the_jpeg_set_is_offered(tmp_path: Path) -> None:
    def unreachable(root: str, train: bool, download: bool) -> None:
        raise OSError("no route to host")

    with pytest.raises(DataMissing, match=r"no route to host\. Set GLYPHSCOPE_DATA") as plain:
        cifar.batches("train", tmp_path, unreachable)
    assert "jpeg" not in str(plain.value)
    (tmp_path / "CIFAR10").mkdir()
    (tmp_path / "CIFAR10" / cifar.JPEG).touch()
    with pytest.raises(DataMissing, match="set dataset to cifar10-jpeg"):
        cifar.batches("train", tmp_path, unreachable)


def test_reads_the_lossless_subset(tmp_path: Path) -> None:
    path = tmp_path / "CIFAR10" / cifar.LOSSLESS
    path.parent.mkdir()
    np.savez(path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:3], y_test=LABELS[:3])
    train = data.load("cifar10-lossless", "train", tmp_path)
    assert np.array_equal(train.images.numpy(), IMAGES.transpose(0, 3, 1, 2))
    assert train.labels.tolist() == LABELS
    assert len(data.load("cifar10-lossless", "test", tmp_path)) == 3


def write_jpeg(path: Path, images: np.ndarray, labels: list[int]) -> list[np.ndarray]:
    """Returns the pixels after compression."""
    files = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=75)
        files.append(buffer.getvalue())
    offset = np.cumsum([0, *map(len, files)])
    joined = np.frombuffer(b"".join(files), np.uint8)
    path.parent.mkdir(exist_ok=True)
    np.savez(
        path, train_jpeg=joined, train_offset=offset, y_train=labels,
        test_jpeg=joined, test_offset=offset, y_test=labels,
    )  # fmt: skip
    return [np.asarray(Image.open(io.BytesIO(file))) for file in files]


def test_reads_the_jpeg_set_and_notices_another_file(tmp_path: Path) -> None:
    path = tmp_path / "CIFAR10" / cifar.JPEG
    seen = np.stack(write_jpeg(path, IMAGES, LABELS))
    train = data.load("cifar10-jpeg", "train", tmp_path)
    assert np.array_equal(train.images.numpy(), seen.transpose(0, 3, 1, 2))
    assert train.labels.tolist() == LABELS
    assert data.load("cifar10-jpeg", "train", tmp_path) is train
    write_jpeg(path, IMAGES[:4], LABELS[:4])
    assert len(data.load("cifar10-jpeg", "train", tmp_path)) == 4


def test_lossy_and_derived_data_say_so() -> None:
    assert "not comparable" in data.source("cifar10-jpeg").note
    assert "subset" in data.source("cifar10-lossless").note
    assert data.source("cifar10").note == ""


@pytest.mark.parametrize("name", ["cifar10-jpeg", "cifar10-lossless"])
@pytest.mark.parametrize("content", [None, b"", b"no archive", "other arrays"])
def test_a_broken_archive_is_named(tmp_path: Path, name: str, content: bytes | str | None) -> None:
    file = cifar.JPEG if name == "cifar10-jpeg" else cifar.LOSSLESS
    path = tmp_path / "CIFAR10" / file
    path.parent.mkdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        np.savez(path, something=np.zeros(3))
    said = "is not there" if content is None else "cannot be read"
    with pytest.raises(DataMissing, match=f"{file} {said}"):
        data.load(name, "train", tmp_path)
