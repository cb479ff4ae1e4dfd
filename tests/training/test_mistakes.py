import torch

from training import measure
from training.data import Split
from training.mistakes import Outcome, hardest, pairs

NAMES = ("a", "b", "c")


def outcome() -> tuple[Outcome, torch.Tensor]:
    chances = torch.tensor(
        [
            [0.9, 0.1, 0.0],  # 0: a, right
            [0.2, 0.7, 0.1],  # 1: a, read as b
            [0.1, 0.8, 0.1],  # 2: a, read as b, surer
            [0.5, 0.3, 0.2],  # 3: c, read as a
            [0.1, 0.5, 0.4],  # 4: b, right but not sure
        ]
    )
    labels = torch.tensor([0, 0, 0, 2, 1])
    images = torch.zeros(5, 1, 4, 4, dtype=torch.uint8)
    confusion = measure.confusion_matrix(chances.argmax(1), labels, 3)
    return Outcome(Split(images, labels), labels, chances, NAMES), confusion


def test_pairs_come_by_number_and_their_images_by_confidence() -> None:
    found = pairs(*outcome())
    assert [(p.truth, p.answer, p.n, p.share) for p in found] == [
        ("a", "b", 2, 0.666667),
        ("c", "a", 1, 1.0),
    ]
    assert [e.index for e in found[0].examples] == [2, 1]


def test_the_hardest_images_are_those_of_the_highest_loss() -> None:
    found = hardest(outcome()[0])
    assert [e.index for e in found] == [2, 1, 3, 4, 0]
    assert found[0].loss == round(-float(torch.tensor(0.1).log()), 4)
    assert (found[-1].truth, found[-1].answer, found[-1].confidence) == ("a", "a", 0.9)
