from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glyphscope import checkpoint, confusion, example_images
from glyphscope.checkpoint import Checkpoint
from glyphscope.confusion import Confusions
from glyphscope.errors import Conflict, NotFound
from glyphscope.manifest import Manifest
from glyphscope.preprocess import to_tensor
from glyphscope.statistics import Statistics
from glyphscope.store import Store
from glyphscope.survey import survey
from tests.glyphscope.conftest import Publish


def test_cells_count_and_show_the_surest_mistakes() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1])
    probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.1, 0.9], [0.2, 0.8], [0.45, 0.55]])
    found = Confusions(confusion.collect(labels, probabilities))
    cells = [(c.truth, c.answer, c.count, c.examples) for c in found.cells()]
    assert cells == [(0, 0, 1, (0,)), (0, 1, 2, (2, 1)), (1, 1, 2, (4, 3))]
    assert found.cell(1, 0).count == 0


def test_right_answers_run_from_the_least_sure_to_the_surest() -> None:
    sure = torch.linspace(0.5, 1, 100)
    probabilities = torch.stack([sure, 1 - sure], 1)
    found = Confusions(confusion.collect(torch.zeros(100, dtype=torch.long), probabilities))
    shown = found.cell(0, 0).examples
    assert (len(shown), shown[0], shown[-1]) == (confusion.EACH, 0, 99)
    assert list(shown) == sorted(shown)


@pytest.fixture
def judged(store: Store, publish: Publish) -> tuple[Checkpoint, torch.Tensor, torch.Tensor]:
    """A checkpoint with the facts of 200 noisy images, two classes of which differ in a corner."""
    manifest: Manifest = publish()
    found = checkpoint.load(store.path(store.resolve(manifest.ref)))
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (200,), generator=generator)
    images = torch.randint(0, 120, (200, 1, 28, 28), dtype=torch.uint8, generator=generator)
    images[labels == 3, :, :10, :10] += 130
    seen = survey(found.network, manifest.input, images, labels, 10)
    return replace(found, statistics=Statistics(seen.statistics)), images, labels


def test_units_that_tell_two_classes_apart(
    judged: tuple[Checkpoint, torch.Tensor, torch.Tensor],
) -> None:
    found, images, labels = judged
    units = confusion.between(found, 3, 4, most=5)
    assert [abs(u.effect) for u in units] == sorted((abs(u.effect) for u in units), reverse=True)
    x = to_tensor(images.numpy(), found.manifest.input)
    with torch.no_grad():
        maps = found.network.get_submodule("conv1")(x).relu()
    values = maps.flatten(2).amax(2)
    for unit in (u for u in units if u.layer == "act1"):
        first, second = values[labels == 3, unit.unit], values[labels == 4, unit.unit]
        spread = ((first.var(correction=0) + second.var(correction=0)) / 2).sqrt()
        assert unit.effect == pytest.approx(
            float((first.mean() - second.mean()) / spread), rel=1e-3
        )
    assert units[0].effect > 1
    reverse = confusion.between(found, 4, 3, most=5)
    assert [u.effect for u in reverse] == pytest.approx([-u.effect for u in units])


def test_units_that_were_misled(
    judged: tuple[Checkpoint, torch.Tensor, torch.Tensor], tmp_path: Path
) -> None:
    """Images of class 4 with the corner of class 3, which were taken for it."""
    found, images, labels = judged
    odd = (labels == 4).nonzero()[:3, 0]
    images[odd, :, :10, :10] += 130
    probabilities = torch.nn.functional.one_hot(labels, 10).float()
    probabilities[odd] = torch.nn.functional.one_hot(torch.tensor(3), 10).float()
    packed = example_images.pack(images, labels, probabilities, [odd.tolist()])
    for name, data in packed.items():
        (tmp_path / name).write_bytes(data)
    whole = replace(
        found,
        images=example_images.read(tmp_path, (1, 28, 28)),
        confusions=Confusions(confusion.collect(labels, probabilities)),
    )
    units = confusion.in_cell(whole, 4, 3, layers=["act1"], most=1)
    between = confusion.between(whole, 3, 4, layers=["act1"], most=1)
    assert units[0].unit == between[0].unit
    assert units[0].effect * between[0].effect > 0
    assert confusion.in_cell(whole, 0, 1) == []


def test_what_is_not_known(
    judged: tuple[Checkpoint, torch.Tensor, torch.Tensor], store: Store
) -> None:
    found, _, _ = judged
    with pytest.raises(NotFound, match="unknown class '10'"):
        confusion.between(found, 3, 10)
    with pytest.raises(NotFound, match="unknown layer with statistics 'x'"):
        confusion.between(found, 3, 4, layers=["x"])
    with pytest.raises(Conflict, match="without statistics"):
        confusion.between(replace(found, statistics=Statistics()), 3, 4)
