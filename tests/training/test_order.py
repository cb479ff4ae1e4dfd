"""The stages against a naive rewriting of what tf.data's documentation says of each."""

from collections.abc import Iterator
from itertools import islice, permutations
from random import Random

import pytest
import torch

from glyphscope.errors import InvalidRecipe
from training import order, recipe
from training.datasets.split import Split
from training.recipe import OrderRecipe

N, SIZE = 23, 4
STEPS = N // SIZE
ORDERS = list(permutations(("shuffle", "batch", "repeat")))


def how(*pipeline: str, buffer: int = 5) -> OrderRecipe:
    return OrderRecipe.model_validate({"pipeline": pipeline, "buffer": buffer})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def epoch(pipeline: OrderRecipe, number: int, seed: int = 7, n: int = N) -> list[list[int]]:
    found = order.batches(n, pipeline, SIZE, generator(), seed=seed, epoch=number)
    return [batch.tolist() for batch in found]


def indices(pipeline: OrderRecipe, *numbers: int, n: int = N) -> list[int]:
    """The images of these epochs in the order that they come in."""
    return [i for number in numbers for batch in epoch(pipeline, number, n=n) for i in batch]


class Naive:
    """tf.data in the plainest words: every stage is a class that can be iterated again."""

    def __init__(self, pipeline: tuple[str, ...], buffer: int, seed: int) -> None:
        self.pipeline, self.buffer, self.seed = pipeline, buffer, seed

    def run(self, depth: int, number: int) -> Iterator[object]:
        if depth < 0:
            yield from range(N)
        elif self.pipeline[depth] == "repeat":
            again = 0
            while True:
                yield from self.run(depth - 1, again)
                again += 1
        elif self.pipeline[depth] == "batch":
            batch: list[object] = []
            for item in self.run(depth - 1, number):
                batch.append(item)
                if len(batch) == SIZE:
                    yield batch
                    batch = []
        else:
            yield from self.shuffled(depth, number)

    def shuffled(self, depth: int, number: int) -> Iterator[object]:
        draw = Random(f"{self.seed} {number}")
        buffer: list[object] = []
        for item in self.run(depth - 1, number):
            if len(buffer) < self.buffer:
                buffer.append(item)
                continue
            place = int(draw.random() * self.buffer)
            yield buffer[place]
            buffer[place] = item
        draw.shuffle(buffer)
        yield from buffer

    def epochs(self) -> Iterator[object]:
        number = 0
        while True:
            yield from self.run(len(self.pipeline) - 1, number)
            number += 1


@pytest.mark.parametrize("stages", [*ORDERS, ("batch", "repeat"), ("shuffle", "batch"), ("batch",)])
def test_every_order_is_what_the_naive_pipeline_gives(stages: tuple[str, ...]) -> None:
    naive = list(islice(Naive(stages, 5, 7).epochs(), 4 * STEPS))
    mine = [batch for number in (1, 2, 3, 4) for batch in epoch(how(*stages), number)]
    assert mine == naive


@pytest.mark.parametrize("stages", ORDERS)
def test_an_epoch_is_a_pure_function_of_seed_and_number(stages: tuple[str, ...]) -> None:
    assert epoch(how(*stages), 3) == epoch(how(*stages), 3)
    assert epoch(how(*stages), 3) != epoch(how(*stages), 3, seed=8)


def test_by_default_an_epoch_is_one_permutation() -> None:
    found = torch.cat(list(order.batches(N, OrderRecipe(), SIZE, generator(3))))
    assert torch.equal(found, torch.randperm(N, generator=generator(3))[: STEPS * SIZE])


def test_shuffle_batch_repeat_gives_no_image_twice_in_an_epoch() -> None:
    for number in (1, 2, 3):
        flat = indices(how("shuffle", "batch", "repeat"), number)
        assert len(set(flat)) == STEPS * SIZE


def test_repeat_before_batch_drops_nothing() -> None:
    """tf.data: "repeat before batch yields batches that straddle epoch boundaries"."""
    flat = indices(how("repeat", "batch"), *range(1, N + 1))
    assert flat == [i % N for i in range(len(flat))]


def test_repeat_before_shuffle_gives_an_image_twice_before_another_came_once() -> None:
    flat = indices(how("repeat", "shuffle", "batch", buffer=20), 1, 2)
    assert len(set(flat[:N])) < N


def test_batch_before_shuffle_keeps_the_same_images_together() -> None:
    for number in (1, 2):
        for batch in epoch(how("batch", "shuffle", "repeat", buffer=100), number):
            assert batch == list(range(batch[0], batch[0] + SIZE))


def test_an_image_comes_no_earlier_than_the_buffer_allows() -> None:
    n, buffer = 2000, 50
    flat = indices(how("shuffle", "batch", buffer=buffer), 1, n=n)
    early = max(image - place for place, image in enumerate(flat))
    assert 0.8 * buffer < early < buffer


def test_a_buffer_as_large_as_the_data_draws_every_place_alike() -> None:
    """The first place over many seeds: a uniform draw, chi-squared below its 99.9 % point."""
    counts = [0] * 8
    for seed in range(2000):
        first = next(order.stream(8, how("shuffle", "batch", buffer=8), 1, seed))
        counts[int(first)] += 1
    assert sum((count - 250) ** 2 / 250 for count in counts) < 24.3  # 7 degrees of freedom


def test_without_a_seed_the_generator_decides() -> None:
    def drawn(seed: int) -> list[list[int]]:
        found = order.batches(N, how("shuffle", "batch"), SIZE, generator(seed))
        return [batch.tolist() for batch in found]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    found = list(order.batches(3, how("shuffle", "batch", "repeat"), 100, generator()))
    assert [sorted(batch.tolist()) for batch in found] == [[0, 1, 2]]


def test_by_class_sorts_and_keeps_images_with_their_labels() -> None:
    labels = torch.tensor([2, 0, 1, 0, 2])
    split = Split(torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1), labels)
    assert order.arrange(split, OrderRecipe()) is split
    found = order.arrange(split, OrderRecipe(by_class=True))
    assert found.labels.tolist() == [0, 0, 1, 2, 2]
    assert found.images.flatten().tolist() == [1, 3, 2, 0, 4]


@pytest.mark.parametrize("text", ["shuffle,batch,repeat", '["shuffle", "batch", "repeat"]'])
def test_a_pipeline_is_set_on_the_command_line(text: str) -> None:
    found = recipe.load("mnist", [f"order.pipeline={text}", "order.buffer=7"])
    assert found.order.pipeline == ("shuffle", "batch", "repeat")
    assert found.order.buffer == 7
    assert recipe.parse(found.model_dump(mode="json")) == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("order.pipeline=shuffle,repeat", "order.pipeline: must hold batch, and no stage twice"),
        ("order.pipeline=batch,batch", "must hold batch, and no stage twice, not 'batch,batch'"),
        ("order.pipeline=shufle,batch", "Input should be 'shuffle', 'batch' or 'repeat'"),
        ("order.buffer=0", "order.buffer: Input should be greater than or equal to 1"),
        ("order.bufer=5", "unknown key 'order.bufer'; known here: pipeline, buffer, by_class"),
    ],
)
def test_a_bad_pipeline_says_what_is_allowed(change: str, said: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        recipe.load("mnist", [change])
    assert said in str(caught.value)
