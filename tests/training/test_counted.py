import pytest

from training.counted import counted


@pytest.mark.parametrize(
    ("n", "said"),
    [(0, "0 epochs"), (1, "1 epoch"), (2, "2 epochs"), (2000, "2,000 epochs")],
)
def test_a_noun_agrees_with_its_number(n: int, said: str) -> None:
    assert counted(n, "epoch") == said


def test_an_irregular_plural_is_given() -> None:
    assert counted(1, "batch", "batches") == "1 batch"
    assert counted(3, "batch", "batches") == "3 batches"
