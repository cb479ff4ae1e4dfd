from collections.abc import Callable
from pathlib import Path

import pytest

from glyphscope.errors import InvalidRecipe, NotFound
from training import data, recipe

Write = Callable[[str], Path]


@pytest.mark.parametrize("name", recipe.shipped())
def test_shipped_recipes_load_and_name_known_data(name: str) -> None:
    found = recipe.load(name)
    assert found.name == name
    assert data.source(found.dataset).labels == data.source(found.test or found.dataset).labels


def test_set_replaces_single_keys_and_network_knobs() -> None:
    found = recipe.load("mnist", ["fit.epochs=3", "network.name=mlp", "network.units=[20, 10]"])
    assert found.fit.epochs == 3
    assert found.network.name == "mlp"
    assert found.network.knobs == {"units": [20, 10]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("fit.epoch=3", "unknown key 'fit.epoch'; known here: epochs, batch_size"),
        ("speed=3", "unknown key 'speed'; known here: name, dataset"),
        ("fit.epochs=0", "fit.epochs: Input should be greater than or equal to 1, not 0"),
        ("fit.epochs", "--set takes key=value"),
        ("optimiser.name=lion", "optimiser.name: Input should be 'sgd', 'adam'"),
        ("dataset.name=x", "dataset is a value, not a table"),
    ],
)
def test_bad_changes_say_what_is_allowed(change: str, said: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        recipe.load("mnist", [change])
    assert said in str(caught.value)


def test_unknown_recipe_lists_the_shipped_ones() -> None:
    with pytest.raises(NotFound, match="fashion-mnist, mnist, mnist-card-cnn"):
        recipe.load("minst")


def test_broken_toml_names_the_file(recipe_file: Write) -> None:
    with pytest.raises(InvalidRecipe, match=r"tiny\.toml"):
        recipe.load(str(recipe_file("dataset = ")))
