from dataclasses import dataclass

import numpy as np
import pytest
import torch

from glyphscope import survey as surveys
from glyphscope.activations import activations
from glyphscope.catalogue import network_spec
from glyphscope.errors import NotFound
from glyphscope.features import features
from glyphscope.networks import Network, build
from glyphscope.preprocess import to_tensor
from glyphscope.roughness import high_frequency, total_variation
from glyphscope.spec import InputSpec
from glyphscope.statistics import QUANTILES, Statistics
from glyphscope.survey import Survey, survey

SPEC = InputSpec(mean=(0.1,), std=(0.3,))


@dataclass
class Case:
    network: Network
    images: torch.Tensor
    labels: torch.Tensor
    found: Survey

    @property
    def statistics(self) -> Statistics:
        return Statistics(self.found.statistics)

    def values(self, layer: str) -> np.ndarray:
        """(images, units), by the network alone."""
        x = to_tensor(self.images.numpy(), SPEC)
        output = activations(self.network, x, [layer])[layer]
        return output.reshape(*output.shape[:2], -1).amax(2).numpy()


@pytest.fixture(scope="module")
def case() -> Case:
    """Channel 1 of the first layer is twice channel 0, and channel 2 never answers."""
    network = build(network_spec("card-cnn", (1, 28, 28), 3, features=[4, 5], units=6)).eval()
    conv = network.get_submodule("conv1")
    with torch.no_grad():
        conv.weight[1], conv.bias[1] = 2 * conv.weight[0], 2 * conv.bias[0]  # type: ignore[operator, index]
        conv.weight[2], conv.bias[2] = 0, -1  # type: ignore[operator]
    network.requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (150, 1, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 3, (150,), generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surveys, "BATCH", 32)
        return Case(network, images, labels, survey(network, SPEC, images, labels, 3))


@pytest.mark.parametrize("layer", ["conv1", "act2", "dense1", "logits"])
def test_figures_equal_numpys(case: Case, layer: str) -> None:
    values, statistics = case.values(layer), case.statistics
    for unit in range(values.shape[1]):
        found, own = statistics.unit(layer, unit), values[:, unit]
        assert found is not None
        assert found.lowest == pytest.approx(own.min(), abs=1e-5)
        assert found.highest == pytest.approx(own.max(), abs=1e-5)
        assert found.mean == pytest.approx(own.mean(), abs=1e-5)
        assert found.std == pytest.approx(own.std(), abs=1e-5)
        assert found.active == pytest.approx((own > 0).mean(), abs=1e-6)
        quantiles = np.quantile(own, QUANTILES)
        np.testing.assert_allclose([*found.quantiles.values()], quantiles, atol=1e-5)
        classes = [own[case.labels.numpy() == k].mean() for k in range(3)]
        np.testing.assert_allclose(found.class_means, classes, atol=1e-5)
        if found.std < 1e-6:
            continue  # of a dead unit no image is the best
        best = np.argsort(-own)[:100]
        chosen = case.images[best.copy()].float() / 255
        high = high_frequency(chosen).sort().values[49]
        steps = total_variation(chosen).sort().values[49]
        assert found.top_high_frequency == pytest.approx(float(high), rel=1e-4)
        assert found.top_total_variation == pytest.approx(float(steps), rel=1e-4)


def test_dead_units_and_twins_are_found(case: Case) -> None:
    assert case.statistics.dead("act1") == (2,)
    [(first, second, value)] = [d for d in case.statistics.duplicates("conv1") if d[:2] == (0, 1)]
    assert (first, second) == (0, 1)
    assert value == pytest.approx(1, abs=1e-5)
    twin = case.statistics.unit("conv1", 1)
    assert twin is not None
    assert twin.duplicates[0][0] == 0
    dead = case.statistics.unit("act1", 2)
    assert dead is not None
    assert dead.dead


@pytest.mark.parametrize("layer", ["act2", "dense1"])
def test_correlations_are_over_all_positions(case: Case, layer: str) -> None:
    x = to_tensor(case.images.numpy(), SPEC)
    output = activations(case.network, x, [layer])[layer]
    flat = output.movedim(1, 0).reshape(output.shape[1], -1).numpy()
    alive = flat.std(1) > 0
    expected = np.corrcoef(flat[alive])
    pairs = case.statistics.duplicates(layer)
    numbers = np.flatnonzero(alive)
    above = {
        (int(numbers[i]), int(numbers[j]))
        for i, j in zip(*np.nonzero(np.triu(expected, 1) > 0.99), strict=True)
    }
    assert {pair[:2] for pair in pairs} == above


def test_a_sample_judges_all_but_the_bounds(case: Case) -> None:
    part = survey(case.network, SPEC, case.images, case.labels, 3, most=60, seed=1)
    values = case.values("dense1")
    assert len(part.sample) == 60
    statistics = Statistics(part.statistics)
    for unit in range(values.shape[1]):
        found = statistics.unit("dense1", unit)
        assert found is not None
        assert found.highest == pytest.approx(values[:, unit].max(), abs=1e-5)
        assert found.mean == pytest.approx(values[part.sample, unit].mean(), abs=1e-5)
    torch.testing.assert_close(
        part.features, features(case.network, to_tensor(case.images.numpy(), SPEC))[part.sample]
    )


def test_what_is_not_known(case: Case) -> None:
    assert case.statistics.unit("nothing", 0) is None
    assert Statistics().dead("conv1") == ()
    with pytest.raises(NotFound, match="unknown unit of layer conv1 '4'"):
        case.statistics.unit("conv1", 4)


def test_features_are_what_the_last_layer_is_given(case: Case) -> None:
    x = to_tensor(case.images[:5].numpy(), SPEC)
    logits = case.network.get_submodule("logits")
    torch.testing.assert_close(logits(features(case.network, x)), case.network(x))
    linear = build(network_spec("linear", (1, 28, 28), 3)).eval()
    torch.testing.assert_close(features(linear, x), x.flatten(1))
