from collections.abc import Callable
from pathlib import Path

import pytest

from glyphscope.errors import DataMissing, InvalidRecipe, NotFound
from training.sweep import plan
from training.sweep.plan import Plan

MakePlan = Callable[..., Plan]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1e-6,1e-5", ["1e-6", "1e-5"]),
        ("[500, 300],[100]", ["[500, 300]", "[100]"]),
        ("[[1, 2], [3]],relu", ["[[1, 2], [3]]", "relu"]),
        ('"a,b", c', ['"a,b"', "c"]),
        ("{a = 1, b = [2, 3]}", ["{a = 1, b = [2, 3]}"]),
        ("'[',x", ["'['", "x"]),
    ],
)
def test_values_are_split_at_outer_commas_only(text: str, parts: list[str]) -> None:
    assert plan.split_values(text) == parts


def test_the_grid_is_every_combination_as_set_would_make_it(make_plan: MakePlan) -> None:
    found = make_plan("optimiser.weight_decay=1e-3,0", "network.units=[8],[9, 7]", replicates=3)
    assert len(found.cells) == 2 * 2 * 3
    values = [(c.recipe.optimiser.weight_decay, c.recipe.network.knobs) for c in found.cells[::3]]
    assert values == [
        (1e-3, {"units": [8]}),
        (1e-3, {"units": [9, 7]}),
        (0, {"units": [8]}),
        (0, {"units": [9, 7]}),
    ]
    assert len({cell.folder for cell in found.cells}) == 12


def test_a_replicate_changes_the_seed_and_not_the_validation_images(make_plan: MakePlan) -> None:
    found = make_plan("fit.epochs=1,2", replicates=3, changes=("seed=5", "split.seed=7"))
    assert [cell.recipe.seed for cell in found.cells] == [5, 6, 7, 5, 6, 7]
    assert {cell.recipe.split.seed for cell in found.cells} == {7}


def test_a_folder_is_a_plain_name_however_the_value_is_written(make_plan: MakePlan) -> None:
    names = make_plan('network.units=[8, 4],["../x"]', replicates=1).cells
    assert [cell.folder.parts[0] for cell in names] == ["1-units=_8,_4_", "2-units=_.._x_"]


@pytest.mark.parametrize(
    ("over", "replicates", "said"),
    [
        (["optimiser.weight_decay"], 1, "--over takes KEY=VALUE,VALUE"),
        (["optimiser.weight_decay="], 1, "--over takes KEY=VALUE,VALUE"),
        (["fit.epochs=1,,2"], 1, "--over takes KEY=VALUE,VALUE"),
        (["network.units=[8,[9]"], 1, "has no partner"),
        (["fit.epochs=1", "fit.epochs=2"], 1, "fit.epochs is given twice"),
        (["fit.epoch=1,2"], 1, "unknown key 'fit.epoch'; known here: epochs"),
        (["fit.epochs=0,2"], 1, "fit.epochs: Input should be greater than or equal to 1"),
        (["optimiser.weight_decay=1e-3,0.001"], 1, "weight_decay=0.001 is the same recipe as"),
        (["seed=1,2"], 2, "seed is what replicates change"),
        (["fit.epochs=1"], 0, "--replicates must be 1 or more, not 0"),
    ],
)
def test_what_cannot_be_swept_is_said(
    make_plan: MakePlan, over: list[str], replicates: int, said: str
) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        make_plan(*over, replicates=replicates)
    assert said in str(caught.value)


def test_what_could_not_be_trained_is_found_before_anything_is(
    make_plan: MakePlan, train_only: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="unknown knob of network mlp 'kernel'"):
        plan.check(make_plan("network.kernel=3,5").cells, train_only)
    with pytest.raises(DataMissing):
        plan.check(make_plan("dataset=mnist,emnist-subset").cells, train_only)
    with pytest.raises(DataMissing):
        plan.check(make_plan("split.validation=100,9999").cells, train_only)
