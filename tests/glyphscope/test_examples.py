from pathlib import Path

import pytest
import torch

from glyphscope import examples
from glyphscope.activations import activations
from glyphscope.catalogue import network_spec
from glyphscope.errors import BrokenCheckpoint
from glyphscope.networks import Network, build

LAYERS = ["conv1", "act2", "dense1", "logits"]


@pytest.fixture
def network() -> Network:
    return build(network_spec("card-cnn", (1, 28, 28), 10, features=[4, 6], units=8)).eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(57, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [57, 20, 3])
def test_streaming_finds_what_sorting_everything_finds(
    network: Network, images: torch.Tensor, size: int
) -> None:
    found = examples.collect(network, images.split(size), LAYERS)
    for layer, output in activations(network, images, LAYERS).items():
        flat = output.flatten(2) if output.ndim == 4 else output[:, :, None]
        for unit in range(output.shape[1]):
            best = flat[:, unit].amax(1)
            expected = best.sort(descending=True).values[: examples.KEPT]
            torch.testing.assert_close(found[f"{layer}.activations"][unit], expected)
            indices = found[f"{layer}.indices"][unit].long()
            torch.testing.assert_close(best[indices], expected)


def test_positions_point_at_the_activation(network: Network, images: torch.Tensor) -> None:
    found = examples.collect(network, images.split(10), ["act2"])
    output = activations(network, images, ["act2"])["act2"]
    for unit in range(output.shape[1]):
        for k in range(examples.KEPT):
            index = int(found["act2.indices"][unit, k])
            row, column = found["act2.positions"][unit, k].tolist()
            expected = found["act2.activations"][unit, k]
            torch.testing.assert_close(output[index, unit, row, column], expected)


def test_fewer_images_than_are_kept(network: Network, images: torch.Tensor) -> None:
    found = examples.collect(network, images[:2].split(1), ["logits"])
    assert found["logits.activations"].shape == (10, 2)


def test_a_folder_without_the_file_knows_no_maxima(tmp_path: Path) -> None:
    assert examples.read(tmp_path).maximum("conv1", 0) is None


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "examples.safetensors").write_bytes(b"nothing")
    with pytest.raises(BrokenCheckpoint, match=r"examples\.safetensors cannot be read"):
        examples.read(tmp_path)
