import importlib
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from glyphscope.catalogue import network_spec
from glyphscope.errors import InvalidRecipe
from glyphscope.networks import build
from tests.conftest import require
from training import experiment, recipe, resume, tensorboard
from training.fit import Trainer
from training.run import Run
from training.tensorboard_graph import graph

if importlib.util.find_spec("tensorboard") is None:
    require("tensorboard", "TensorBoard is not installed: pip install tensorboard")

Start = Callable[..., Trainer]

RESIDUAL = "network={name='residual-small', features=[4, 8], blocks=[1, 1]}"


def events(folder: Path) -> Any:
    accumulator = "tensorboard.backend.event_processing.event_accumulator"
    reader: Any = importlib.import_module(accumulator)
    found = reader.EventAccumulator(str(folder), {"images": 0, "histograms": 0, "scalars": 0})
    found.Reload()
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> tuple[Trainer, Any]:
    changes = ["split.validation=100", "fit.batch_size=20", "fit.epochs=2", RESIDUAL]
    how = recipe.load("mnist", [*changes, "fit.tensorboard=true"])
    run = Run.create(tmp_path_factory.mktemp("watched"), how)
    job = experiment.trainer(run, data_root, torch.device("cpu"))
    list(job.epochs())
    return job, events(run.folder / "tensorboard")


def test_everything_reads_back(written: tuple[Trainer, Any]) -> None:
    job, found = written
    history, tags = job.run.history(), found.Tags()
    assert [(s.step, s.value) for s in found.Scalars("loss/validation")] == [
        (25 * e.epoch, pytest.approx(e.validation_loss, rel=1e-6)) for e in history
    ]
    assert [s.step for s in found.Scalars("step/loss")] == [20, 25, 45, 50]
    assert set(tags["scalars"]) >= {
        "loss/training", "accuracy/training", "accuracy/validation", "speed/images a second",
        "step/learning rate",
    }  # fmt: skip

    weights = found.Histograms("weights/conv1.weight")
    assert [h.step for h in weights] == [0, 25, 50]
    last = job.run.weights("last.safetensors")["conv1.weight"]
    assert weights[-1].histogram_value.num == last.numel()
    assert weights[-1].histogram_value.sum == pytest.approx(float(last.sum()), abs=1e-4)
    assert [h.step for h in found.Histograms("gradients/block1.conv2.weight")] == [25, 50]
    heard = found.Histograms("activations/block2")[-1].histogram_value
    assert heard.num == 100 * 8 * 14 * 14  # validation images, channels, pixels

    assert "mnist" in str(found.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0])


def test_the_first_layer_is_a_picture_of_its_weights(written: tuple[Trainer, Any]) -> None:
    job, found = written
    shown = found.Images("first layer")
    assert [i.step for i in shown] == [0, 25, 50]
    pixels = np.asarray(Image.open(io.BytesIO(shown[-1].encoded_image_string)).convert("L"))
    filters = job.run.weights("last.safetensors")["conv1.weight"]
    scale = 40 // 3
    for n, kernel in enumerate(filters[:, 0]):
        top, left = n // 2 * 4 * scale, n % 2 * 4 * scale  # three pixels and a gap
        drawn = pixels[top : top + 3 * scale : scale, left : left + 3 * scale : scale]
        expected = 127.5 + 127.5 * kernel / kernel.abs().max()
        assert np.abs(drawn - expected.numpy()).max() <= 0.51


def test_the_projector_holds_validation_images_with_their_names(
    written: tuple[Trainer, Any],
) -> None:
    job, _ = written
    folder = next((job.run.folder / "tensorboard").glob("*/validation"))
    names = (folder / "metadata.tsv").read_text().split()
    assert names == [str(label) for label in job.validation.labels.tolist()]
    assert np.loadtxt(folder / "tensors.tsv").shape == (100, 8)
    with Image.open(folder / "sprite.png") as sprite:
        assert sprite.size == (280, 280)


def test_the_graph_has_the_layers_by_name_and_both_ways_of_a_block(
    written: tuple[Trainer, Any],
) -> None:
    _, found = written
    definition = found.Graph()
    nodes = {node.name: node for node in definition.node}
    assert list(nodes["block2/sum"].input) == ["block2/norm2", "block2/shortcut"]
    assert list(nodes["block1/sum"].input) == ["block1/norm2", "act1"]
    assert list(nodes["conv1"].input) == ["input"]
    assert nodes["conv1"].attr["parameters"].i == 4 * 3 * 3
    shape = nodes["conv1"].attr["_output_shapes"].list.shape[0]
    assert [d.size for d in shape.dim] == [-1, 4, 28, 28]


def test_every_edge_of_a_graph_ends_at_a_node() -> None:
    network = build(network_spec("residual-small", (1, 28, 28), 10))
    definition = graph(network)
    names = [node.name for node in definition.node]
    assert len(set(names)) == len(names)
    assert {i for node in definition.node for i in node.input} <= set(names)
    read = {i for node in definition.node for i in node.input}
    assert set(names) - read == {"logits"}


def test_a_resumed_run_takes_back_what_it_does_again(start: Start, data_root: Path) -> None:
    job = start("fit.epochs=3", "fit.tensorboard=true")
    epochs = job.epochs()
    next(epochs)
    next(epochs)
    epochs.close()
    # As after a kill that lost epoch 2.
    state = job.run.state()
    assert state is not None
    job.run.save_state(state | {"history": state["history"][:1]})
    run = resume.unfinished(job.run.folder.parent, job.recipe)
    list(experiment.trainer(run, data_root, job.device).epochs())
    steps = [s.step for s in events(job.run.folder / "tensorboard").Scalars("loss/training")]
    assert steps == [15, 30, 45]


def test_dense_first_layers_are_pictures_too() -> None:
    linear = build(network_spec("linear", (3, 32, 32), 5))
    assert tensorboard.first_layer(linear).shape == (3, 2 * 33 - 1, 3 * 33 - 1)


def test_without_the_package_the_message_says_what_to_install() -> None:
    with pytest.raises(InvalidRecipe, match=r"pip install 'glyphscope\[tensorboard\]'"):
        tensorboard.load("no_such_package_here")


def test_loading_writes_to_no_generator(start: Start) -> None:
    """Watching draws nothing: the weights are those of a run that nobody watched."""
    plain = start("fit.epochs=1", RESIDUAL)
    watched = start("fit.epochs=1", RESIDUAL, "fit.tensorboard=true")
    list(plain.epochs())
    list(watched.epochs())
    for key, value in plain.run.weights().items():
        assert torch.equal(watched.run.weights()[key], value), key
