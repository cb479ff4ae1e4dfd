import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from glyphscope import checkpoint
from glyphscope.errors import InvalidInput
from glyphscope.preprocess import to_tensor
from glyphscope.spec import InputSpec
from glyphscope.store import Store
from tests.training.conftest import Call
from training import data, export, onnx_export, subject
from training.onnx_export import ParityError
from training.run import Run
from training.subject import Subject

CPU = torch.device("cpu")
MODEL = Path(__file__).parents[2] / "checkpoints"


@pytest.fixture(scope="module")
def trained(trained_run: Path, data_root: Path) -> Subject:
    return subject.of_run(Run.open(trained_run), data_root, CPU)


@pytest.fixture(scope="module")
def exported(
    trained: Subject, data_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> export.Exported:
    return export.export(trained, tmp_path_factory.mktemp("export") / "digits.onnx", data_root)


def test_the_file_answers_as_torch_does_for_any_number_of_images(
    exported: export.Exported, trained: Subject, sample: dict[str, np.ndarray]
) -> None:
    assert exported.images == "100 validation images of mnist"
    assert exported.onnx.checked_images == 100
    session = onnxruntime.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    for n in (1, 2, 7, 200):
        images = to_tensor(sample["test_images"][:n, None], trained.input)
        (logits,) = session.run(["logits"], {"input": images.contiguous().numpy()})
        with torch.inference_mode():
            expected = trained.network(images).numpy()
        assert logits.shape == (n, 10)
        assert np.abs(logits - expected).max() < 1e-4
    assert exported.onnx.max_abs_difference < 1e-4


def test_the_file_says_how_to_use_it(exported: export.Exported, trained: Subject) -> None:
    model = onnx.load(exported.path)
    onnx.checker.check_model(model)
    known = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(known["labels"]) == list(data.DIGITS)
    assert InputSpec.model_validate_json(known["input"]) == trained.input
    assert float(known["temperature"]) == pytest.approx(trained.calibration.temperature, rel=1e-5)
    (found,) = model.graph.input
    first, *rest = found.type.tensor_type.shape.dim
    assert (found.name, first.dim_param) == ("input", "batch")
    assert [d.dim_value for d in rest] == [1, 28, 28]


@pytest.mark.slow
@pytest.mark.parametrize("opset", [20, onnx_export.OPSETS[-1]])
def test_another_opset_is_the_files_own(
    trained: Subject, data_root: Path, tmp_path: Path, opset: int
) -> None:
    found = export.export(trained, tmp_path / "x.onnx", data_root, opset)
    assert found.onnx.opset == opset
    assert onnx_export.opset_of((tmp_path / "x.onnx").read_bytes()) == opset
    assert found.onnx.max_abs_difference < 1e-4


def test_another_opset_is_refused(trained: Subject, data_root: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="opset 9 is not offered; known: 18, 19"):
        export.export(trained, tmp_path / "x.onnx", data_root, opset=9)


def test_a_file_that_answers_otherwise_is_not_left(
    exported: export.Exported,
    trained: Subject,
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = onnx.load(exported.path)
    weight = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    changed = onnx.numpy_helper.to_array(weight) + np.float32(0.01)
    weight.CopyFrom(onnx.numpy_helper.from_array(changed, weight.name))
    monkeypatch.setattr(onnx_export, "export", lambda *_: model.SerializeToString())
    kept = tmp_path / "x.onnx"
    kept.write_bytes(b"an earlier export")
    with pytest.raises(ParityError, match="logits differ by up to"):
        export.export(trained, kept, data_root)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [
        ("x.onnx", b"an earlier export")
    ]


def test_without_the_data_parity_is_checked_on_noise(tmp_path: Path) -> None:
    model = subject.of_checkpoint(Store(MODEL), "emnist", CPU)
    images, what = export.parity_images(model, tmp_path)  # a split that nobody can download
    assert what == "256 images of noise"
    assert images.shape == (256, 1, 28, 28)
    assert float(images.std()) > 0.5


def test_export_by_command(call: Call, trained_run: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_run, tmp_path / "runs/first")
    code, out, err = call("export", "first")
    assert code == 0, err
    assert "input (N, 1, 28, 28) normalised, logits (N, 10)" in out
    assert re.search(
        r"differs from torch by at most \d\.\de-0\d in a logit, on 100 validation", out
    )
    assert onnx_export.opset_of((tmp_path / "first.onnx").read_bytes()) == onnx_export.OPSET


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "first", "--format", "pickle"], "unknown format 'pickle'; known: onnx"),
        (["export", "nothing"], "unknown model 'nothing'"),
        (["export", "no/such/run"], "unknown run 'no/such/run'"),
        (["push", "nothing", "there"], "unknown model 'nothing'"),
        (["pull", "teleport://moon/tiny"], "teleport:// is unknown"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(call: Call, arguments: list[str], said: str) -> None:
    code, _, err = call(*arguments)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_push_and_pull_by_command(call: Call, tmp_path: Path) -> None:
    there = tmp_path / "there"
    code, out, err = call("push", "mnist@1", str(there), "--store", str(MODEL), "--alias", "live")
    assert (code, err) == (0, "")
    assert re.match(r"mnist@1 sent, \d\.\d MB verified: ", out)
    code, out, err = call("pull", f"{there}/mnist@live", "--store", "mine")
    assert (code, err) == (0, "")
    assert "mnist@1 fetched" in out
    assert "here already, the same" in call("pull", f"{there}/mnist@1", "--store", "mine")[1]
    found = Store(tmp_path / "mine")
    assert checkpoint.load(found.path(found.resolve("mnist@1"))).manifest.name == "mnist"
