"""Where a climb begins: which of the prior's samples, by whose word, how often they are asked."""

import pytest
import torch

from glyphscope.activations import activations
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import Cancelled
from glyphscope.preprocess import normalise
from glyphscope.visualise import MaximisationRequest, maximise, resolve
from glyphscope.visualise.starts import FEWEST, Starts, starts

IMAGES = torch.rand(100, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def ask(checkpoint: Checkpoint, layer: str, **more: object) -> MaximisationRequest:
    request = MaximisationRequest.model_validate({"layer": layer, **more})
    return resolve(checkpoint.network, request)


@pytest.mark.parametrize("layer", ["conv2", "logits"])
def test_samples_are_scored_as_the_network_answers_them(checkpoint: Checkpoint, layer: str) -> None:
    found = starts(checkpoint, ask(checkpoint, layer), [2, 5], IMAGES, 1, lambda: False)
    x = normalise(IMAGES, checkpoint.manifest.input)
    said = activations(checkpoint.network, x, [layer])[layer]
    said = said.flatten(2).mean(2) if said.ndim == 4 else said
    assert [*found.scores] == [2, 5]
    for unit in (2, 5):
        torch.testing.assert_close(found.scores[unit], said[:, unit], atol=1e-4, rtol=1e-4)


def test_a_layer_is_asked_once_and_each_objective_by_itself(checkpoint: Checkpoint) -> None:
    starts(checkpoint, ask(checkpoint, "conv2"), [0], IMAGES, 1, lambda: False)
    [(name, known)] = checkpoint.memory.items()
    assert known.shape == (8, len(IMAGES))
    checkpoint.memory[name] = known + 1
    again = starts(checkpoint, ask(checkpoint, "conv2"), [3], IMAGES, 1, lambda: False)
    assert torch.equal(again.scores[3], known[3] + 1)
    middle = ask(checkpoint, "conv2", objective="neuron", position=(1, 2))
    neuron = starts(checkpoint, middle, [3], IMAGES, 1, lambda: False)
    assert not torch.equal(neuron.scores[3], again.scores[3])
    total = ask(checkpoint, "conv2", objective=[{"kind": "channel"}, {"kind": "layer"}])
    starts(checkpoint, total, [3], IMAGES, 1, lambda: False)
    assert len(checkpoint.memory) == 2


def test_each_seed_picks_one_of_the_best(checkpoint: Checkpoint) -> None:
    scores = torch.cat([torch.zeros(90), torch.linspace(7.8, 10, 10)])
    found = Starts(IMAGES, {4: scores})
    picked = found.pick([4] * 60, range(60))
    places = {int((image == IMAGES).flatten(1).all(1).nonzero()) for image in picked}
    # A quarter of the way from the best, 10, to the median, 0, is 7.5.
    assert places == set(range(90, 100))
    assert torch.equal(found.pick([4], [7])[0], picked[7])


def test_a_unit_with_one_favourite_still_has_a_choice() -> None:
    scores = torch.arange(100.0) / 1000
    scores[50] = 10
    picked = Starts(IMAGES, {0: scores}).pick([0] * 40, range(40))
    places = {int((image == IMAGES).flatten(1).all(1).nonzero()) for image in picked}
    assert places == {50, 97, 98, 99}
    assert len(places) == FEWEST


def test_looking_for_a_start_can_be_cancelled(checkpoint: Checkpoint) -> None:
    with pytest.raises(Cancelled):
        starts(checkpoint, ask(checkpoint, "conv2"), [0], IMAGES, 1, lambda: True)
    assert not checkpoint.memory


def test_the_default_climbs_from_where_it_begins(checkpoint: Checkpoint) -> None:
    request = MaximisationRequest(layer="logits", units=(1, 2, 3))
    begun = maximise(checkpoint, request.model_copy(update={"steps": 1, "learning_rate": 1e-6}))
    climbed = maximise(checkpoint, request)
    assert all(c.activation > b.activation for b, c in zip(begun, climbed, strict=True))
    other = maximise(checkpoint, request.model_copy(update={"seed": 1}))
    assert any((a.pixels != b.pixels).any() for a, b in zip(climbed, other, strict=True))
