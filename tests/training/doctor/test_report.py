"""Every ailment can be told: in words, in a picture, on a page, to a program."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import nn

from training import doctor
from training.doctor import report
from training.doctor.ailments import AILMENTS
from training.doctor.findings import found
from training.doctor.pictures import PICTURES
from training.doctor.record import HeldOut


def test_every_ailment_has_a_picture_and_known_causes() -> None:
    for code, ailment in AILMENTS.items():
        assert ailment.picture in PICTURES, code
        assert set(ailment.causes) < set(AILMENTS), code
        assert ailment.source
        assert ailment.advice.endswith(".")


def test_a_cause_stands_before_what_it_brings_about() -> None:
    order = list(AILMENTS)
    late = {"gradient-exploding"}  # a cause in a deep network, and no cause anywhere else
    for code, ailment in AILMENTS.items():
        for cause in set(ailment.causes) - late:
            assert order.index(cause) < order.index(code)


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_every_picture_can_be_drawn_of_a_few_steps(
    name: str, loop: Callable[..., doctor.Patient], tmp_path: Path
) -> None:
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 4))
    record = loop(net, steps=3).record
    record.held_out += [HeldOut(step, 1.0, 0.5, 10) for step in (1, 2, 3)]
    record.validation.add(torch.randn(4, 8), torch.zeros(4, dtype=torch.long))
    made = PICTURES[name](record, found("loss-flat", ""))
    made.savefig(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert len(picture.convert("L").getcolors() or []) > 4


def test_a_report_is_read_by_people_and_programs(
    loop: Callable[..., doctor.Patient], tmp_path: Path
) -> None:
    net = nn.Sequential(nn.Linear(8, 4), nn.Softmax(1))
    patient = loop(net, steps=50)
    text = StringIO()
    console = Console(file=text, width=100)
    told = report.tell(patient.record, patient.findings, tmp_path, console=console)
    assert "Softmax is applied twice" in text.getvalue()
    assert "Take the softmax out" in text.getvalue()
    answer = json.loads((tmp_path / "doctor.json").read_text())
    first = answer["findings"][0]
    assert first["code"] == told[0].code == "softmax-twice"
    assert first["numbers"]["floor"] == pytest.approx(0.7437, abs=1e-4)  # ln(e + 3) - 1
    assert (tmp_path / first["picture"]).is_file()
    assert "Softmax is applied twice" in (tmp_path / "index.html").read_text()


def test_a_patient_can_be_reported_without_a_folder(
    loop: Callable[..., doctor.Patient], capsys: pytest.CaptureFixture[str]
) -> None:
    assert loop(nn.Linear(8, 4)).report() == []
    assert "healthy" in capsys.readouterr().out


def test_the_same_can_be_seen_in_tensorboard(
    loop: Callable[..., doctor.Patient], tmp_path: Path
) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    patient = loop(nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4)))
    patient.tensorboard(tmp_path)
    seen = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    losses = [event.value for event in seen.Scalars("loss")]
    assert losses == pytest.approx(patient.record.losses)
    assert "activation/1 (tanh)" in seen.Tags()["histograms"]
