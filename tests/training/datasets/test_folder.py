"""Folders of real files, as a user would have them: kinds, sizes and colours mixed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glyphscope import preprocess
from glyphscope.errors import DataMissing, InvalidRecipe
from glyphscope.spec import InputSpec
from training import data

RANDOM = np.random.default_rng(0)
Save = Callable[..., Path]


def picture(height: int = 20, width: int = 20, channels: int = 3) -> np.ndarray:
    shape = (height, width, 3) if channels == 3 else (height, width)
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save(name: str, pixels: np.ndarray | None = None) -> Path:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture() if pixels is None else pixels).save(path)
        return path

    return save


@pytest.fixture
def photos(tmp_path: Path, save: Save) -> str:
    for kind, ending in (("cat", "png"), ("dog", "bmp")):
        for i in range(10):
            save(f"{kind}/{i}.{ending}")
    return f"folder:{tmp_path / 'photos'}"


def load(name: str, split: str = "train") -> data.Split:
    return data.load(name, split, Path("no data root is needed"))


def test_classes_are_the_folders_and_pixels_are_the_files(photos: str, tmp_path: Path) -> None:
    source, train, test = data.source(photos), load(photos), load(photos, "test")
    assert source.labels == ("cat", "dog")
    assert source.preprocessing == "picture"
    assert train.images.shape[1:] == (3, 20, 20)
    assert [len(train), len(test)] == [16, 4]
    assert torch.bincount(test.labels).tolist() == [2, 2]
    seen = {image.numpy().tobytes() for image in torch.cat([train.images, test.images])}
    for path in (tmp_path / "photos").glob("*/*"):
        pixels = np.moveaxis(np.asarray(Image.open(path)), -1, 0)
        assert np.ascontiguousarray(pixels).tobytes() in seen
    assert "20% of each class, chosen by the pixels" in source.note


def test_folders_train_and_test_are_the_splits(tmp_path: Path, save: Save) -> None:
    for i in range(3):
        save(f"train/a/{i}.png")
        save(f"train/b/{i}.webp")
    save("test/b/0.png")
    name = f"folder:{tmp_path / 'photos'}"
    assert load(name).labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert load(name, "test").labels.tolist() == [1]
    assert data.source(name).note == ""
    save("test/c/0.png")
    with pytest.raises(DataMissing, match="test has classes that train has not: c"):
        data.source(name)


def test_a_class_may_be_called_train(tmp_path: Path, save: Save) -> None:
    for i in range(2):
        save(f"train/{i}.png")
        save(f"plane/{i}.png")
    assert data.source(f"folder:{tmp_path / 'photos'}").labels == ("plane", "train")


def test_pictures_of_several_sizes_are_fitted_as_the_service_fits_them(
    photos: str, tmp_path: Path, save: Save
) -> None:
    save("cat/wide.png", picture(40, 90))
    for name, size in ((photos, (32, 32)), (f"{photos},size=24x16", (24, 16))):
        images = torch.cat([load(name).images, load(name, "test").images])
        assert images.shape[1:] == (3, *size)
        spec = InputSpec(
            channels=3, height=size[0], width=size[1], preprocessing="picture",
            mean=(0, 0, 0), std=(1, 1, 1),
        )  # fmt: skip
        served = preprocess.image((tmp_path / "photos/cat/wide.png").read_bytes(), spec)
        assert any(np.array_equal(image, served) for image in images.numpy())


def test_large_pictures_of_one_size_are_made_small(tmp_path: Path, save: Save) -> None:
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        save(name, picture(80, 80))
    name = f"folder:{tmp_path / 'photos'}"
    assert load(name).images.shape[2:] == (32, 32)
    assert load(f"{name},size=80").images.shape[2:] == (80, 80)


def test_grey_pictures_are_grey_however_they_were_stored(tmp_path: Path, save: Save) -> None:
    grey = picture(channels=1)
    save("a/grey.png", grey)
    save("a/other.png", picture(channels=1))
    save("b/in_colour.png", np.repeat(picture(channels=1)[:, :, None], 3, axis=2))
    save("b/more.png", np.repeat(picture(channels=1)[:, :, None], 3, axis=2))
    name = f"folder:{tmp_path / 'photos'}"
    assert load(name).images.shape[1:] == (1, 20, 20)
    assert load(f"{name},channels=3").images.shape[1:] == (3, 20, 20)
    both = torch.cat([load(name).images, load(name, "test").images])[:, 0].numpy()
    assert any(np.array_equal(image, grey) for image in both)
    save("b/red.png", picture())
    assert load(name).images.shape[1:] == (3, 20, 20)
    assert load(f"{name},channels=1").images.shape[1:] == (1, 20, 20)


def test_drawings_may_be_made_like_mnists(tmp_path: Path, save: Save) -> None:
    """Large, dark on light, off centre: with preprocessing=mnist they become 20x20 in 28x28."""
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        paper = np.full((200, 150), 255, np.uint8)
        paper[20:120, 60:75] = RANDOM.integers(0, 40)
        save(name, paper)
    train = load(f"folder:{tmp_path / 'photos'},size=28,preprocessing=mnist")
    assert train.images.shape[1:] == (1, 28, 28)
    rows = torch.nonzero(train.images[0, 0].amax(1) > 64)
    assert int(rows.max() - rows.min()) + 1 == 20


def test_a_picture_added_later_is_seen(photos: str, save: Save) -> None:
    before = len(load(photos)) + len(load(photos, "test"))
    save("dog/new.png")
    assert len(load(photos)) + len(load(photos, "test")) == before + 1


def test_what_is_no_picture_is_left_out_and_told(photos: str, tmp_path: Path) -> None:
    (tmp_path / "photos/cat/notes.txt").write_text("my cat")
    (tmp_path / "photos/cat/.DS_Store").write_bytes(b"x")
    (tmp_path / "photos/__MACOSX").mkdir()
    (tmp_path / "photos/.git").mkdir()
    source = data.source(photos)
    assert source.labels == ("cat", "dog")
    assert "files left out that do not end in .png, .jpg, .jpeg, .webp, .bmp: 1" in source.note
    assert len(load(photos)) == 16


def test_broken_pictures_are_named_and_counted(photos: str, tmp_path: Path) -> None:
    for i in range(5):
        (tmp_path / f"photos/dog/broken{i}.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataMissing) as caught:
        load(photos)
    assert "5 of 25 files cannot be used" in str(caught.value)
    assert "broken0.jpg: these bytes are no PNG, JPEG, WebP or BMP image" in str(caught.value)
    assert "and 2 more" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        ((), "is no folder"),
        (("a/",), "at least two; it holds 1"),
        (("a/1.png", "b/"), "b holds no image directly in it"),
        (("1.png", "2.png"), "must hold a folder for each class"),
    ],
)
def test_a_folder_of_another_form_is_explained(
    tmp_path: Path, save: Save, make: tuple[str, ...], said: str
) -> None:
    for name in make:
        if name.endswith("/"):
            (tmp_path / "photos" / name).mkdir(parents=True)
        else:
            save(name)
    with pytest.raises(DataMissing, match=said):
        data.source(f"folder:{tmp_path / 'photos'}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (",sise=3", "unknown setting 'sise'; known: size, channels, preprocessing, test"),
        (",size=big", "size: must be such as 48, or 32x48 for height x width, not 'big'"),
        (",size=2", "size: must be 4 to 1024 pixels a side, not '2'"),
        (",channels=4", "channels: must be 1 (grey) or 3 (colour), not '4'"),
        (",channels=x", "channels: Input should be a valid integer"),
        (",preprocessing=x", "preprocessing: must be one of mnist, emnist"),
        (",test=1", "test: Input should be less than 1"),
    ],
)
def test_bad_settings_say_what_is_allowed(photos: str, settings: str, said: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        data.source(photos + settings)
    assert said in str(caught.value)


def test_a_comma_in_a_path_is_no_setting(tmp_path: Path, save: Save) -> None:
    for name in ("a, b/x/1.png", "a, b/y/1.png"):
        save(name)
    assert data.source(f"folder:{tmp_path / 'photos' / 'a, b'},size=8").labels == ("x", "y")


def test_a_name_without_a_path_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="write folder:PATH"):
        data.source("folder:")
