from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from glyphscope.spec import InputSpec
from training import rejection
from training.data import Split
from training.rejection import Strangers

WriteIdx = Callable[..., None]


class SureOfLight(nn.Module):
    """The lighter an image, the surer of class 0."""

    def forward(self, images: Tensor) -> Tensor:
        light = 10 * images.mean((1, 2, 3))
        return torch.stack([light, torch.zeros_like(light)], dim=1)


def flat(*levels: int) -> Tensor:
    return torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)


def test_auroc_equals_the_count_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    # Rounded, so that there are ties.
    known, strange = rng.normal(0, 1, 200).round(1), rng.normal(0.7, 1, 150).round(1)
    naive = np.mean([1.0 if s > k else 0.5 if s == k else 0.0 for k in known for s in strange])
    found = rejection.auroc(torch.from_numpy(known), torch.from_numpy(strange))
    assert found == pytest.approx(naive)
    assert rejection.auroc(torch.from_numpy(strange), torch.from_numpy(known)) == pytest.approx(
        1 - naive
    )


def test_false_positives_are_strangers_below_what_95_in_100_known_images_stay_below() -> None:
    known = torch.arange(100, dtype=torch.float64)
    strange = torch.tensor([0.0, 94.0, 94.5, 200.0], dtype=torch.float64)
    assert rejection.false_positive_rate(known, strange) == 0.5  # the limit is 94.05


def test_scores_follow_their_papers() -> None:
    logits = torch.tensor([[3.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    energy, softmax = rejection.scores(logits)
    assert energy.tolist() == pytest.approx([-np.log(np.exp(3) + 2), -np.log(3 * np.e)])
    assert softmax.tolist() == pytest.approx([1 - np.exp(3) / (np.exp(3) + 2), 2 / 3])


def test_a_sure_network_does_not_make_all_known_images_tie() -> None:
    logits = torch.tensor([[40.0, 0.0], [42.0, 0.0]])  # in float32 both probabilities are 1
    softmax = rejection.scores(logits)[1]
    assert softmax[0] > softmax[1]


def test_strangers_are_what_they_are_called() -> None:
    images = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8)
    blank = rejection.blank(images)
    assert blank.shape == (256, 3, 8, 8)
    assert [int(b.unique()) for b in blank] == list(range(256))
    noise = rejection.uniform(images)
    assert float(noise.float().mean()) == pytest.approx(127.5, abs=5)
    assert torch.equal(noise, rejection.uniform(images))
    mixed = rejection.shuffled(images)
    assert not torch.equal(mixed, images)
    for before, after in zip(images, mixed, strict=True):
        pixels, moved = before.flatten(1).T.tolist(), after.flatten(1).T.tolist()
        assert sorted(pixels) == sorted(moved)  # whole pixels moved, colours kept


def test_colour_becomes_grey_as_pillow_does_and_takes_the_networks_size() -> None:
    torch.manual_seed(0)
    colour = torch.randint(0, 256, (2, 3, 28, 28), dtype=torch.uint8)
    grey = rejection.fitted(colour, InputSpec())
    picture = Image.fromarray(np.moveaxis(colour[0].numpy(), 0, -1)).convert("L")
    assert np.abs(grey[0, 0].numpy().astype(int) - np.asarray(picture)).max() <= 1
    assert rejection.fitted(torch.zeros(2, 3, 32, 32), InputSpec()).shape == (2, 1, 28, 28)
    three = InputSpec(channels=3, height=32, width=32, mean=(0, 0, 0), std=(1, 1, 1))
    assert rejection.fitted(grey, three).shape == (2, 3, 32, 32)


def test_other_data_sets_are_taken_where_they_are_and_never_of_the_same_kind(
    tmp_path: Path, write_idx: WriteIdx
) -> None:
    known = Split(flat(0, 255), torch.tensor([0, 1]))
    for folder in ("MNIST", "FashionMNIST"):
        write_idx(tmp_path / f"{folder}/raw/t10k-images-idx3-ubyte", np.ones((3, 28, 28)))
        write_idx(tmp_path / f"{folder}/raw/t10k-labels-idx1-ubyte", np.zeros(3))
    found, left_out = rejection.strangers(known, InputSpec(), "emnist-subset", tmp_path)
    assert [s.name for s in found] == ["blank", "noise", "shuffled", "fashion-mnist"]
    assert left_out == ["Rejection of CIFAR-10: its files are not under the data folder"]
    found, _ = rejection.strangers(known, InputSpec(), "fashion-mnist", tmp_path)
    assert [s.name for s in found][3:] == ["mnist"]
    found, left_out = rejection.strangers(known, InputSpec(), "folder:mine", tmp_path)
    assert len(found) == 3
    assert len(left_out) == 3


def test_judging_finds_strangers_by_energy_and_by_the_threshold() -> None:
    known = Split(flat(*range(150, 250)), torch.zeros(100, dtype=torch.int64))
    dark = Strangers("dark", "Dark images", flat(*range(0, 100)))
    alike = Strangers("alike", "The same images", known.images)
    limit = -float(torch.logsumexp(torch.tensor([10 * 50 / 255, 0.0]), 0))
    found = rejection.judge(SureOfLight(), InputSpec(), known, [dark, alike], limit)
    first, second = found.strangers
    assert (first.auroc_energy, first.auroc_softmax, first.fpr95_energy) == (1, 1, 0)
    assert (second.auroc_energy, second.auroc_softmax) == (0.5, 0.5)
    assert found.accepted == 1
    assert first.accepted == pytest.approx(0.5, abs=0.011)  # light from 50 on
    for histogram in (found.histogram, first.histogram, second.histogram):
        assert sum(histogram) == pytest.approx(1, abs=1e-4)
        assert len(histogram) == len(found.edges) - 1
