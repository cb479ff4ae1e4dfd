"""In which order an epoch sees the training images: batches of indices, as a pure function.

The default draws a full permutation an epoch. For teaching, ``order.pipeline`` puts the stages
shuffle (with a buffer), batch and repeat in any order, with the meaning that they have in tf.data
(https://www.tensorflow.org/guide/data); an incomplete last batch is dropped:

    shuffle batch repeat    each image once an epoch, new neighbours each time: the usual choice
    shuffle repeat batch    the same, and batches run across the end of an epoch: none is dropped
    repeat shuffle batch    so does the buffer: an image may come twice before another came once
    batch shuffle repeat    whole batches change places, with the same images in them every epoch
    batch repeat shuffle    ... and batches of neighbouring epochs mix in the buffer
    repeat batch shuffle    ... and batches run across the end of an epoch, so they change a little
    batch repeat            no shuffle: the order on disk, in every epoch

Shuffle keeps ``buffer`` of the things that reach it (images, or batches after ``batch``), gives a
random one of them and puts the next in its place: an image never comes more than ``buffer`` places
early, so with a small buffer images that lie sorted by class stay almost sorted.
"""

from collections.abc import Callable, Iterator
from itertools import count, islice
from random import Random

import torch
from torch import Tensor

from training.data import Split
from training.recipe import OrderRecipe

Item = int | tuple[int, ...]
"""An image's index, or after ``batch`` the indices of one batch."""

Stage = Callable[[int], Iterator[Item]]
"""Number of the pass, from 0 -> what one pass over the data gives, as tf.data iterates anew."""


def batches(
    n: int,
    how: OrderRecipe,
    batch_size: int,
    generator: torch.Generator,
    *,
    seed: int | None = None,
    epoch: int = 1,
) -> Iterator[Tensor]:
    """The ``n // batch_size`` batches of an epoch, each (batch_size,) int64 on the CPU.

    ``generator`` draws the full permutation. A pipeline is one endless stream, named by ``seed``,
    and epoch 1, 2, ... is its first, second, ... piece: give both, so that what runs across the
    end of an epoch is seen. Without ``seed`` the generator draws one.
    """
    size = min(batch_size, n)
    steps = n // size
    if how.pipeline is None:
        order = torch.randperm(n, generator=generator)
        yield from order[: steps * size].split(size)
        return
    if seed is None:
        seed = int(torch.randint(2**31, (), generator=generator))
    yield from islice(stream(n, how, size, seed), (epoch - 1) * steps, epoch * steps)


def stream(n: int, how: OrderRecipe, batch_size: int, seed: int) -> Iterator[Tensor]:
    """The endless stream of a pipeline; one that ends without ``repeat`` is begun anew."""
    stage: Stage = lambda number: iter(range(n))  # noqa: E731
    for name in how.pipeline or ():
        if name == "shuffle":
            stage = _shuffle(stage, how.buffer, seed)
        elif name == "batch":
            stage = _batch(stage, batch_size)
        else:
            stage = _repeat(stage)
    for item in _repeat(stage)(0):
        yield torch.tensor(item)


def arrange(train: Split, how: OrderRecipe) -> Split:
    """With ``by_class``, the images sorted by class, as they often lie on disk."""
    if not how.by_class:
        return train
    return train.take(torch.argsort(train.labels, stable=True))


def _shuffle(upstream: Stage, buffer: int, seed: int) -> Stage:
    def run(number: int) -> Iterator[Item]:
        draw = Random(f"{seed} {number}")
        items = upstream(number)
        held = list(islice(items, buffer))
        for item in items:
            place = int(draw.random() * len(held))
            yield held[place]
            held[place] = item
        draw.shuffle(held)
        yield from held

    return run


def _batch(upstream: Stage, size: int) -> Stage:
    def run(number: int) -> Iterator[Item]:
        items = upstream(number)
        while len(batch := tuple(islice(items, size))) == size:
            yield batch  # type: ignore[misc]  # batch comes once, so these are indices

    return run


def _repeat(upstream: Stage) -> Stage:
    def run(number: int) -> Iterator[Item]:
        for again in count():
            yield from upstream(again)

    return run
