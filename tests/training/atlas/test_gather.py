import numpy as np
import pytest
import torch

from glyphscope.activations import activations
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import InvalidInput, NotFound
from glyphscope.preprocess import to_tensor
from glyphscope.snapshots import at
from glyphscope.visualise import MaximisationRequest, maximise
from tests.training.atlas.conftest import Case
from training.atlas import gather
from training.atlas.gather import chosen_layers


def test_facts_are_those_of_the_network(case: Case) -> None:
    """Recomputed from pixels: what the page says of a unit is what the unit does."""
    facts = case.atlas.facts
    assert [layer["name"] for layer in facts["layers"]] == ["act1", "act2", "act3", "logits"]
    photos = {photo[0]: row for row, photo in enumerate(facts["photos"])}
    x = to_tensor(case.images, case.checkpoint.manifest.input)
    heard = activations(case.checkpoint.network, x, ["act2", "logits"])
    for layer in facts["layers"]:
        if layer["name"] not in heard:
            continue
        values = heard[layer["name"]]
        strongest = values.flatten(2).amax(2) if values.ndim == 4 else values
        for unit, told in enumerate(layer["units"]):
            for index, answer, *position in told["top"]:
                own = values[index, unit]
                assert answer == pytest.approx(float(own.max()), rel=1e-3, abs=1e-4)
                if position:
                    assert answer == pytest.approx(float(own[tuple(position)]), rel=1e-3, abs=1e-4)
                pixels = case.atlas.sheets["photos"][photos[index]]
                np.testing.assert_array_equal(pixels, case.images[index])
            assert told["range"][4] == pytest.approx(
                float(strongest[:, unit].quantile(0.5)), rel=1e-2, abs=1e-3
            )


def test_pictures_are_the_units_own(case: Case) -> None:
    request = MaximisationRequest(layer="act2", units=(3,), steps=2)
    [drawn] = maximise(case.checkpoint, request)
    np.testing.assert_array_equal(case.atlas.sheets["drawn-1"][3], drawn.pixels)
    assert case.atlas.facts["layers"][1]["units"][3]["answer"] == pytest.approx(
        drawn.activation, rel=1e-3
    )


def test_units_are_shown_as_they_were(case: Case) -> None:
    stages = case.atlas.facts["stages"]
    assert [stage["epoch"] for stage in stages] == [0, 1, 5]
    then = at(case.checkpoint, 5)
    request = MaximisationRequest(layer="act2", units=(3,), steps=2)
    [drawn] = maximise(then, request)
    np.testing.assert_array_equal(case.atlas.sheets["then-2-1"][3], drawn.pixels)
    assert stages[2]["answers"]["act2"][3] == pytest.approx(drawn.activation, rel=1e-3)
    x = to_tensor(case.images, case.checkpoint.manifest.input)
    values = activations(then.network, x, ["act2"])["act2"].flatten(2).amax(2)
    for unit, (index, value) in enumerate(stages[2]["best"]["act2"]):
        assert value == pytest.approx(float(values[:, unit].max()), rel=1e-3)
        assert value == pytest.approx(float(values[index, unit]), rel=1e-3)


def test_dead_units_filters_and_cells(case: Case) -> None:
    facts = case.atlas.facts
    assert [unit["dead"] for unit in facts["layers"][0]["units"]][1]
    assert facts["filters"] == ["conv1", "act1"]
    assert case.atlas.sheets["filters"].shape == (4, 1, 5, 5)
    assert sum(cell["count"] for cell in facts["cells"]) == 200
    wrong = next(cell for cell in facts["cells"] if cell["truth"] != cell["answer"])
    assert wrong["units"]
    assert len(facts["map"]) == 200
    x = to_tensor(case.images, case.checkpoint.manifest.input)
    with torch.no_grad():
        answers = case.checkpoint.network(x).argmax(1).tolist()
    assert all(answers[index] == answer for _, _, index, _, answer in facts["map"])


def test_layers_are_chosen_by_name(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    found: Checkpoint = case.checkpoint
    assert [layer.name for layer in chosen_layers(found, ["conv2", "act1"])] == ["act1", "conv2"]
    assert "pool1" in [layer.name for layer in chosen_layers(found, ["all"])]
    with pytest.raises(NotFound, match="unknown layer 'x'"):
        chosen_layers(found, ["x"])
    monkeypatch.setattr(gather, "MOST_UNITS", 10)
    with pytest.raises(InvalidInput, match="have 28 units, and a page holds 10"):
        chosen_layers(found)
