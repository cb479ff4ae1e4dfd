import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from glyphscope import checkpoint
from glyphscope.errors import Conflict, InvalidInput
from glyphscope.folder import read_manifest
from glyphscope.store import Store
from glyphscope.visualise.prior import Mixture, prior
from training import evaluate, experiment, priors, recipe
from training.publish import public_name, publish
from training.republish import republish
from training.run import Run

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own data: noisy 16x16 images, each mostly of its class's colour."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = rng.integers(0, 90, (120, 16, 16, 3), np.uint8)
    images[np.arange(120), :, :, labels] += 120
    path = tmp_path_factory.mktemp("someone's home") / "colours.npz"
    np.savez(path, x_train=images[:90], y_train=labels[:90], x_test=images[90:], y_test=labels[90:])
    return path


@pytest.fixture(scope="module")
def colour_run(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes = [
        f"dataset=npz:{colours}", "name=colours", "split.validation=30", "network.name=card-cnn",
        "network.features=[4]", "network.units=8", "augment={}", "fit.epochs=3",
        "fit.batch_size=15", "fit.snapshots=1", "fit.precision=float32",
    ]  # fmt: skip
    how = recipe.load("mnist", changes)
    runs = tmp_path_factory.mktemp("runs")
    return experiment.run_recipe(how, colours.parent, CPU, runs, test=True)


@pytest.fixture(scope="module")
def published(colour_run: Run, colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version's folder."""
    store = Store(tmp_path_factory.mktemp("store"))
    manifest = publish(colour_run, store, colours.parent, None, "candidate")
    assert store.aliases("colours") == {"candidate": 1}
    return store.path(store.resolve(manifest.ref))


def test_a_users_own_colour_data_is_published_without_its_path(
    published: Path, colours: Path
) -> None:
    manifest = checkpoint.load(published).manifest
    assert manifest.input.channels == 3
    assert manifest.training is not None
    assert manifest.metrics is not None
    assert manifest.training.dataset == manifest.metrics.split == "npz:colours.npz"
    assert manifest.training.recipe["dataset"] == "npz:colours.npz"
    for path in published.iterdir():
        assert str(colours.parent).encode() not in path.read_bytes(), path.name
        assert b"someone" not in path.read_bytes(), path.name
    assert "publisher's own" in (published / "MODEL_CARD.md").read_text()


def test_the_network_says_nothing_of_the_machine_that_exported_it(published: Path) -> None:
    data = (published / "model.onnx").read_bytes()
    assert str(Path(experiment.__file__).parents[1]).encode() not in data
    assert b"stack_trace" not in data


def test_what_a_version_consists_of(published: Path) -> None:
    files = set(read_manifest(published).files)
    assert files == {
        "model.safetensors", "first_layer.safetensors", "model.onnx",
        "history.json", "examples.safetensors", "MODEL_CARD.md", "example_images.png",
        "example_images.safetensors", "statistics.safetensors", "embedding.safetensors",
        "confusions.safetensors", "snapshots.safetensors", "prior.safetensors",
    }  # fmt: skip
    assert {path.name for path in published.iterdir()} == {*files, "manifest.json"}


def test_a_version_tells_and_shows_its_test_set_by_itself(published: Path, colours: Path) -> None:
    found = checkpoint.load(published)
    with np.load(colours) as data:
        images, labels = data["x_test"].transpose(0, 3, 1, 2), data["y_test"]
    referred = [e.index for unit in range(3) for e in found.examples.unit("logits", unit)]
    assert found.embedding is not None
    for index in [*referred, *found.embedding.values["indices"].tolist()]:
        image = found.images.get(index)
        assert image is not None
        np.testing.assert_array_equal(image.pixels, images[index])
        assert image.label == labels[index]
    assert found.manifest.metrics is not None
    confusion = np.zeros((3, 3), int)
    for cell in found.confusions.cells():
        confusion[cell.truth, cell.answer] = cell.count
    np.testing.assert_array_equal(confusion, found.manifest.metrics.confusion)
    unit = found.statistics.unit("logits", 1)
    assert unit is not None
    assert unit.highest == found.examples.maximum("logits", 1)


def test_a_version_carries_its_snapshots(published: Path, colour_run: Run) -> None:
    carried = checkpoint.load(published).snapshots
    kept = colour_run.snapshots()
    assert list(carried) == [*kept] == [0, 1, 2, 3]
    for epoch in kept:
        for name, value in kept[epoch].items():
            torch.testing.assert_close(carried[epoch][name].float(), value, rtol=1e-3, atol=1e-4)


def test_a_version_of_own_data_carries_a_prior_of_its_training_images(
    published: Path, colours: Path
) -> None:
    found = prior(checkpoint.load(published))
    assert isinstance(found, Mixture)
    with np.load(colours) as data:
        pixels = data["x_train"].transpose(0, 3, 1, 2).reshape(90, -1) / 255
    # One cloud, for few images: its mean is that of the images trained on, two thirds of these.
    np.testing.assert_allclose(found.means[0].numpy(), pixels.mean(0), atol=0.1)
    assert found.sample().shape[1:] == (3, 16, 16)


def test_shipped_data_has_the_librarys_prior_and_few_or_large_images_have_none() -> None:
    images = torch.randint(0, 256, (60, 1, 28, 28), dtype=torch.uint8)
    assert priors.own("npz:letters.npz", images, 10)
    assert priors.own("mnist", images, 10) == {}
    assert priors.own("npz:letters.npz", images[:20], 10) == {}
    large = torch.zeros(60, 1, 80, 80, dtype=torch.uint8)
    assert priors.own("npz:letters.npz", large, 10) == {}


def test_the_onnx_file_knows_labels_and_normalisation(published: Path) -> None:
    manifest = read_manifest(published)
    model = onnx.load(published / "model.onnx")
    known = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(known["labels"]) == list(manifest.labels.names)
    assert json.loads(known["input"])["mean"] == list(manifest.input.mean)
    assert manifest.onnx is not None
    assert manifest.onnx.checked_images == 30


def test_a_run_without_figures_or_with_a_bad_name_leaves_nothing(
    colour_run: Run, colours: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="a model's name must match"):
        publish(colour_run, Store(tmp_path / "store"), colours.parent, "My Model", None)
    shutil.copytree(colour_run.folder, tmp_path / "run")
    (tmp_path / "run/metrics.json").unlink()
    with pytest.raises(Conflict, match="has not been evaluated"):
        publish(Run(tmp_path / "run"), Store(tmp_path / "store"), colours.parent, None, None)
    assert not (tmp_path / "store").exists()
    assert evaluate.recorded(colour_run) is not None


@pytest.mark.parametrize(
    ("dataset", "public"),
    [
        ("mnist", "mnist"),
        ("npz:/home/someone/letters.npz", "npz:letters.npz"),
        ("folder:/home/someone/photos/", "folder:photos"),
        ("folder:~/a, b,size=48,channels=1", "folder:a, b,size=48,channels=1"),
    ],
)
def test_only_the_last_part_of_a_path_is_told(dataset: str, public: str) -> None:
    assert public_name(dataset) == public


def test_here_has_a_name_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "photos")
    assert public_name("folder:.") == "folder:photos"


def test_a_version_is_published_again_with_the_same_network(
    published: Path, colours: Path, tmp_path: Path
) -> None:
    """As an old version is, which carries its weights and little else."""
    before = checkpoint.load(published)
    assert before.manifest.training is not None
    where = {**before.manifest.training.recipe, "dataset": f"npz:{colours}"}
    training = before.manifest.training.model_copy(update={"recipe": where})
    old = before.manifest.model_copy(update={"training": training, "onnx": None})
    store = Store(tmp_path)
    store.publish(
        "colours",
        lambda folder, version: checkpoint.write(
            folder, old.model_copy(update={"version": version}), before.network, {}
        ),
    )
    assert republish("colours@1", store, colours.parent, None, "production").ref == "colours@2"
    after = checkpoint.load(store.path(store.resolve("colours")))
    assert after.manifest.digest == before.manifest.digest
    assert after.manifest.metrics == before.manifest.metrics
    assert after.manifest.calibration == before.manifest.calibration
    # Its prior is fitted anew; a training that is over leaves no snapshots.
    assert {*before.manifest.files} - {*after.manifest.files} == {"snapshots.safetensors"}
    for name in (
        "prior.safetensors",
        "statistics.safetensors",
        "examples.safetensors",
        "confusions.safetensors",
    ):
        assert (store.path(store.resolve("colours")) / name).read_bytes() == (
            published / name
        ).read_bytes(), name


def test_published_again_it_keeps_its_snapshots(
    published: Path, colours: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    shutil.copytree(published, tmp_path / "colours" / "1")
    manifest = json.loads((published / "manifest.json").read_text())
    manifest["training"]["recipe"]["dataset"] = f"npz:{colours}"
    (tmp_path / "colours/1/manifest.json").write_text(json.dumps(manifest))
    republish("colours@1", store, colours.parent, None, "production")
    name = "snapshots.safetensors"
    assert (tmp_path / "colours/2" / name).read_bytes() == (published / name).read_bytes()


def test_what_was_not_trained_here_is_not_published_again(
    published: Path, colours: Path, tmp_path: Path
) -> None:
    before = checkpoint.load(published)
    imported = before.manifest.model_copy(update={"training": None})
    store = Store(tmp_path)
    store.publish(
        "colours",
        lambda folder, version: checkpoint.write(
            folder, imported.model_copy(update={"version": version}), before.network, {}
        ),
    )
    with pytest.raises(Conflict, match="nothing says what its test set is"):
        republish("colours", store, colours.parent, None, None)
