"""The oldest check of a training: can the network learn a few batches by heart?

A network, loss and optimiser that fit together bring a handful of images to 100 %. Where they do
not, something is broken, and more data only hides it (Karpathy, "A Recipe for Training Neural
Networks", 2019: "overfit a single batch of only a few examples").
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from glyphscope.errors import InvalidRecipe
from training.counted import counted
from training.finite import Diverged
from training.fit import Trainer
from training.order import batches
from training.recipe import AugmentRecipe, OrderRecipe
from training.run import Epoch
from training.session import Session

STEPS = 600
"""At most; a healthy recipe needs 20 to 200."""

LEARNED = 0.999


@dataclass(frozen=True)
class Lesson:
    """After a pass over the batches: ``accuracy`` of all their images in eval mode."""

    steps: int
    loss: float
    accuracy: float

    @property
    def learned(self) -> bool:
        return self.accuracy >= LEARNED


class NotLearned(Diverged):
    code = "not-learned"
    title = "A few batches could not be learned"


def overfit(job: Trainer, count: int) -> Iterator[Lesson]:
    """Train on the first ``count`` batches only, as they are, until they are known by heart.

    Augmentation, label smoothing and the moving average are off, since they are there to prevent
    just this; nothing is written. Raises ``NotLearned`` when ``STEPS`` were not enough.
    """
    session = Session.start(_few(job, count))
    session.look_every = 1
    lesson = None
    for number in range(1, session.recipe.fit.epochs + 1):
        record: Epoch = session.epoch(number)
        lesson = Lesson(number * count, record.validation_loss, record.validation_accuracy)
        yield lesson
        if lesson.learned:
            return
    assert lesson is not None
    raise NotLearned(
        f"after {lesson.steps} steps on the same {counted(count, 'batch', 'batches')} the network "
        f"knows only {lesson.accuracy:.1%} of their images (loss {lesson.loss:.3g}). A sound "
        "recipe reaches 100 %: look at optimiser.learning_rate, at the labels, and at what "
        "`glyphscope-train doctor` says"
    )


def _few(job: Trainer, count: int) -> Trainer:
    if not 1 <= count <= job.steps:
        raise InvalidRecipe(
            f"--overfit-batches {count}: an epoch has {counted(job.steps, 'batch', 'batches')}, "
            f"so 1 to {job.steps}"
        )
    recipe = job.recipe
    draw = torch.Generator().manual_seed(recipe.seed)
    order = batches(len(job.train), OrderRecipe(), job.batch_size, draw)
    few = job.train.take(torch.cat([next(order) for _ in range(count)]).to(job.device))
    fit = recipe.fit.model_copy(
        update={"epochs": -(-STEPS // count), "label_smoothing": 0.0, "ema": 0.0}
    )
    plain = recipe.model_copy(
        update={"fit": fit, "augment": AugmentRecipe(), "order": OrderRecipe()}
    )
    return replace(job, recipe=plain, train=few, validation=few)
