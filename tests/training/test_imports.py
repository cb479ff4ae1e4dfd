import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import torch as tensors
from torch import Tensor, nn
from typer.testing import CliRunner

from glyphscope import checkpoint
from glyphscope.errors import InvalidInput, NotFound
from glyphscope.folder import read_manifest
from glyphscope.spec import InputSpec
from glyphscope.store import Store
from training import cli, imports, vision
from training.imports import Import

LABELS = ("crane", "pier", "quail")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Save = Callable[..., Path]


def what(architecture: str = "resnet18", side: int = 64) -> Import:
    shape = InputSpec(
        channels=3, height=side, width=side, preprocessing="imagenet", mean=MEAN, std=STD
    )
    return Import(architecture, LABELS, shape)


def torchvisions(architecture: str) -> Any:
    """With statistics in its batch norms, so that none of them is left out unseen."""
    torch.manual_seed(0)
    found = getattr(vision.module("models"), architecture)(num_classes=len(LABELS))
    for module in found.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return found.eval()


@pytest.fixture(scope="module")
def resnet18() -> Any:
    return torchvisions("resnet18")


@pytest.fixture(scope="module")
def shapes() -> dict[str, Tensor]:
    """The state dict of a resnet18 in a file of a few bytes: every tensor is one number, spread."""
    with torch.device("meta"):
        meta = vision.module("models").resnet18(num_classes=len(LABELS)).state_dict()
    return {key: torch.zeros((), dtype=v.dtype).expand(v.shape) for key, v in meta.items()}


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save(state: object, name: str = "weights.pth") -> Path:
        torch.save(state, tmp_path / name)
        return tmp_path / name

    return save


def test_resnet18_answers_as_torchvisions(resnet18: Any, tmp_path: Path) -> None:
    path = tmp_path / "resnet18.safetensors"
    path.write_bytes(tensors.save(resnet18.state_dict()))
    network = imports.load(path, what())
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(x), resnet18(x), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_resnet50_answers_as_torchvisions_at_full_size(save: Save) -> None:
    theirs = torchvisions("resnet50")
    network = imports.load(save(theirs.state_dict()), what("resnet50", 224))
    x = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(network(x), theirs(x), rtol=1e-5, atol=1e-5)


def test_files_as_they_are_found(resnet18: Any, save: Save) -> None:
    """Old ones without counters, of parallel trainings, wrapped, in half precision."""
    state = resnet18.state_dict()
    wrapped = {
        f"module.{key}": value.half() if value.is_floating_point() else value
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }
    network = imports.load(save({"state_dict": wrapped, "epoch": 3}), what())
    weight = network.get_parameter("block2_1.shortcut.conv.weight")
    assert weight.dtype == torch.float32
    assert torch.equal(weight, state["layer2.0.downsample.0.weight"].half().float())


def test_the_published_version_claims_nothing(
    shapes: dict[str, Tensor], save: Save, tmp_path: Path
) -> None:
    path, store = save(shapes), Store(tmp_path / "store")
    imports.publish(path, what(), store, "birds", "production")
    imports.publish(path, what(), store, "birds", None)
    assert store.versions("birds") == [1, 2]
    found = checkpoint.load(store.path(store.resolve("birds")))
    manifest = found.manifest
    assert (manifest.version, manifest.labels.names) == (1, LABELS)
    assert (manifest.metrics, manifest.training, manifest.onnx) == (None, None, None)
    assert manifest.calibration.energy_threshold is None
    assert manifest.origin
    assert (manifest.origin.architecture, manifest.origin.file) == ("resnet18", "weights.pth")
    card = (store.path(store.resolve("birds")) / "MODEL_CARD.md").read_text()
    assert manifest.origin.sha256 in card
    assert "neither trained nor judged here" in card


def drop(state: dict[str, Tensor]) -> None:
    for b in (0, 1):
        del state[f"layer1.{b}.bn2.running_var"]


def add(state: dict[str, Tensor]) -> None:
    state["layer1.0.conv3.weight"] = torch.zeros(1)


def bend(state: dict[str, Tensor]) -> None:
    state["conv1.weight"] = torch.zeros(64, 1, 7, 7)


def spoil(state: dict[str, Tensor]) -> None:
    state["layer1.0.conv1.weight"] = torch.tensor(torch.nan).expand(64, 64, 3, 3)


def grow(state: dict[str, Tensor]) -> None:
    state["fc.bias"] = torch.zeros(4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop, "is no resnet18: it lacks layer1.0.bn2.running_var, layer1.1.bn2.running_var"),
        (add, "is no resnet18: it has unknown layer1.0.conv3.weight"),
        (bend, "it is misshapen: conv1.weight (64, 1, 7, 7), not (64, 3, 7, 7)"),
        (spoil, "holds values that are no numbers: layer1.0.conv1.weight"),
        (grow, "has 4 classes, the labels name 3"),
    ],
)
def test_what_does_not_fit_is_named_as_torchvision_names_it(
    shapes: dict[str, Tensor],
    save: Save,
    change: Callable[[dict[str, Tensor]], None],
    said: str,
) -> None:
    state = dict(shapes)
    change(state)
    with pytest.raises(InvalidInput) as caught:
        imports.load(save(state), what())
    assert said in str(caught.value)


def test_another_architecture_is_told_at_once(shapes: dict[str, Tensor], save: Save) -> None:
    with pytest.raises(InvalidInput, match=r"no resnet50: it lacks .* and \d+ more"):
        imports.load(save(shapes), what("resnet50"))
    with pytest.raises(NotFound, match="known: resnet18, resnet34, resnet50"):
        imports.load(save(shapes), what("vgg16"))


def test_a_file_that_could_run_code_is_refused(save: Save) -> None:
    with pytest.raises(InvalidInput, match="holds more than tensors"):
        imports.read_state(save(nn.Linear(2, 2)))


def test_files_that_are_no_state_dict(tmp_path: Path, save: Save) -> None:
    with pytest.raises(InvalidInput, match="no state dict"):
        imports.read_state(save([1, 2]))
    for name, said in (
        ("weights.bin", r"must end in \.safetensors, \.pth, \.pt"),
        ("weights.safetensors", "is no safetensors file"),
        ("weights.pth", "weights.pth"),
    ):
        (tmp_path / name).write_bytes(b"not weights at all")
        with pytest.raises(InvalidInput, match=said):
            imports.read_state(tmp_path / name)
    with pytest.raises(InvalidInput, match=r"nothing\.pth is not there"):
        imports.read_state(tmp_path / "nothing.pth")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "crane\n pier \n\nquail\n"),
        ("a.json", json.dumps(LABELS)),
        ("a.json", json.dumps({str(i): [f"n{i}", name] for i, name in enumerate(LABELS)})),
    ],
)
def test_labels_from_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert imports.read_labels(str(tmp_path / name)) == LABELS


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "crane\npier\ncrane\n", "names 'crane' twice"),
        ("a.txt", "\n", "names no classes"),
        ("a.json", '{"1": "crane"}', "gives no class names"),
        ("a.json", "[", "gives no class names"),
    ],
)
def test_labels_that_cannot_be(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput, match=said):
        imports.read_labels(str(tmp_path / name))


def test_imagenets_thousand_names_are_torchvisions() -> None:
    labels = imports.read_labels("imagenet")
    assert len(set(labels)) == 1000
    assert (labels[0], labels[999]) == ("tench", "toilet tissue")
    with pytest.raises(InvalidInput, match="labels are a file or imagenet"):
        imports.read_labels("image-net")


def test_the_command(shapes: dict[str, Tensor], save: Save, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    arguments = [
        "import", str(save(shapes)), "--architecture=resnet18", "--size=64", "--name=birds",
        f"--labels={tmp_path / 'labels.txt'}", f"--store={tmp_path / 'store'}",
    ]  # fmt: skip
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, done.output
    assert "imported birds@1, 3 classes" in done.output
    assert "no accuracy is recorded" in done.output
    store = Store(tmp_path / "store")
    manifest = read_manifest(store.path(store.resolve("birds")))
    assert manifest.input == what().input


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--mean=0.5", "mean and std need 3 number"),
        ("--mean=a,b,c", "three numbers with commas"),
        ("--std=0.1,0.1,0", "std: Input should be greater than 0"),
        ("--size=2", "height: Input should be greater than or equal to 4"),
        ("--preprocessing=tf", "unknown preprocessing 'tf'; known: mnist"),
    ],
)
def test_bad_options_say_what_is_allowed(tmp_path: Path, option: str, said: str) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    given = ["import", "x.pth", f"--labels={tmp_path / 'labels.txt'}", option]
    done = CliRunner().invoke(cli.app, given)
    assert said in str(done.exception)
