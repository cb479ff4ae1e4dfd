from collections.abc import Callable

import pytest
import torch

from glyphscope.errors import InvalidRecipe
from training.fit import Trainer
from training.overfit import STEPS, NotLearned, overfit

Start = Callable[..., Trainer]


def test_a_sound_recipe_learns_two_batches_by_heart(start: Start) -> None:
    job = start("augment={shift=3, erase=1}", "fit.label_smoothing=0.2", "fit.ema=0.99")
    before = sorted(job.run.folder.iterdir())
    lessons = list(overfit(job, 2))
    assert lessons[-1].learned
    assert lessons[-1].loss < lessons[0].loss
    assert lessons[-1].steps == 2 * len(lessons) < STEPS
    assert sorted(job.run.folder.iterdir()) == before


def test_labels_by_chance_can_be_learned_and_the_same_images_of_two_classes_cannot(
    start: Start,
) -> None:
    job = start("network.dropout=0")
    draw = torch.Generator().manual_seed(0)
    job.train.labels.copy_(torch.randint(10, (len(job.train),), generator=draw))
    assert list(overfit(job, 1))[-1].learned

    job.train.images.zero_()
    with pytest.raises(NotLearned, match=r"600 steps on the same 1 batch .* knows only"):
        list(overfit(job, 1))


@pytest.mark.parametrize("count", [0, 16])
def test_more_batches_than_there_are(start: Start, count: int) -> None:
    with pytest.raises(InvalidRecipe, match="so 1 to 15"):
        list(overfit(start(), count))
