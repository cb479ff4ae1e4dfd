import pytest
import torch
from pydantic import ValidationError

from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import InvalidInput, NotFound
from glyphscope.visualise import MaximisationRequest, Term, resolve
from glyphscope.visualise.objectives import channel, direction, layer, neuron
from glyphscope.visualise.summed import compile_terms
from glyphscope.visualise.terms import completed


def ask(**more: object) -> MaximisationRequest:
    return MaximisationRequest.model_validate({"layer": "act2", **more})


def test_a_sum_as_data_is_the_same_sum_in_code(checkpoint: Checkpoint) -> None:
    vector = torch.arange(8.0)
    terms = completed(
        checkpoint.network,
        [
            Term(),
            Term(kind="neuron", unit=3, weight=-0.5, position=(0, 13)),
            Term(kind="layer", layer="conv1", weight=2),
            Term(kind="direction", vector=tuple(vector.tolist())),
        ],
        "act2",
    )
    expected = channel("act2", [5, 7]) - 0.5 * neuron("act2", [3, 3], (0, 13))
    expected = expected + 2 * layer("conv1") + direction("act2", vector)
    found = compile_terms(terms, [5, 7])
    assert found.layers == expected.layers
    heard = {"act2": torch.randn(2, 8, 14, 14), "conv1": torch.randn(2, 6, 28, 28)}
    torch.testing.assert_close(found.score(heard), expected.score(heard))


def test_a_neuron_without_a_position_is_the_one_in_the_middle(checkpoint: Checkpoint) -> None:
    found = resolve(checkpoint.network, ask(objective="neuron"))
    assert found.position == (7, 7)
    [term] = resolve(checkpoint.network, ask(objective=[{"kind": "neuron"}])).terms
    assert (term.layer, term.position) == ("act2", (7, 7))
    flat = resolve(checkpoint.network, ask(layer="logits", objective="neuron"))
    assert (flat.objective, flat.position) == ("channel", None)


def test_what_names_no_open_unit_is_one_picture(checkpoint: Checkpoint) -> None:
    both = [{"unit": 1}, {"unit": 2, "weight": -1}]
    assert resolve(checkpoint.network, ask(objective=both)).units == (0,)
    assert resolve(checkpoint.network, ask(objective="layer")).units == (0,)
    with pytest.raises(InvalidInput, match="leave units out"):
        resolve(checkpoint.network, ask(objective=both, units=[3, 4]))
    half = [{"unit": 1}, {"weight": -1}]
    assert resolve(checkpoint.network, ask(objective=half)).units == tuple(range(8))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"objective": "neuron", "position": [0, 14]}, "14 x 14: rows 0 to 13"),
        ({"objective": [{"kind": "neuron", "position": [99, 0]}]}, "14 x 14: rows 0 to 13"),
        ({"objective": "channel", "position": [0, 0]}, 'only the objective "neuron"'),
        ({"objective": [{"kind": "neuron"}], "position": [0, 0]}, "in the term"),
        ({"layer": "logits", "objective": "neuron", "position": [0, 0]}, "no positions"),
        ({"objective": [{"kind": "direction", "vector": [1, 2]}]}, "has 2 numbers; layer act2 has"),
        ({"units": [1, 2], "variants": 3}, "variants are of one unit"),
    ],
)
def test_what_does_not_fit_its_layer_says_what_would(
    checkpoint: Checkpoint, more: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        resolve(checkpoint.network, ask(**more))


def test_unknown_names_in_a_term_list_the_known_ones(checkpoint: Checkpoint) -> None:
    with pytest.raises(NotFound, match="known: conv1, act1"):
        resolve(checkpoint.network, ask(objective=[{"layer": "conv9"}]))
    with pytest.raises(NotFound, match="unit of layer act1 '6'; known: 0, 1, 2, 3, 4, 5"):
        resolve(checkpoint.network, ask(objective=[{"layer": "act1", "unit": 6}]))


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ({"kind": "direction"}, "takes a vector"),
        ({"vector": [1.0]}, "and nothing else, takes a vector"),
        ({"kind": "layer", "unit": 1}, "takes no unit"),
        ({"kind": "channel", "position": [1, 1]}, "takes no position"),
        ({"weight": float("nan")}, "finite"),
        ({"kind": "fun"}, "'channel', 'neuron', 'layer' or 'direction'"),
    ],
)
def test_a_term_takes_what_its_kind_takes(term: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Term.model_validate(term)
