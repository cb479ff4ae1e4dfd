from collections.abc import Callable

import pytest
import torch

from training.fit import Trainer
from training.observe import Observer, Step
from training.run import Epoch
from training.session import Session

Start = Callable[..., Trainer]


class Diary(Observer):
    def __init__(self) -> None:
        self.seen: list[object] = []
        self.losses: list[float] = []

    def started(self, session: Session) -> None:
        self.seen.append(("started", session.done))

    def stepped(self, session: Session, step: Step) -> None:
        assert all(p.grad is not None for p in session.network.parameters())
        assert not step.loss.requires_grad
        assert 0 <= float(step.accuracy) <= 1
        self.losses.append(float(step.loss))
        self.seen.append(step.overall)

    def epoch_ended(self, session: Session, record: Epoch) -> None:
        assert session.run.history()[-1] == record
        self.seen.append(("epoch", record.epoch))

    def ended(self, session: Session) -> None:
        self.seen.append(session.outcome)


def test_an_observer_sees_everything_in_its_order(start: Start) -> None:
    diary = Diary()
    job = start("fit.epochs=2", observers=[diary, Observer()])
    history = list(job.epochs())
    assert diary.seen == [
        ("started", 0), *range(1, 16), ("epoch", 1), *range(16, 31), ("epoch", 2), "finished",
    ]  # fmt: skip
    assert history[0].train_loss == pytest.approx(sum(diary.losses[:15]) / 15, rel=1e-5)


def test_watching_changes_nothing(start: Start) -> None:
    alone, watched = start("fit.epochs=1"), start("fit.epochs=1", observers=[Diary()])
    list(alone.epochs())
    list(watched.epochs())
    for key, value in alone.run.weights().items():
        assert torch.equal(watched.run.weights()[key], value)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(KeyboardInterrupt(), "interrupted"), (ValueError("no"), "failed: no")],
)
def test_the_end_is_told_however_it_comes(start: Start, error: BaseException, outcome: str) -> None:
    class Breaks(Diary):
        def stepped(self, session: Session, step: Step) -> None:
            raise error

    diary = Breaks()
    with pytest.raises(type(error)):
        list(start(observers=[diary]).epochs())
    assert diary.seen == [("started", 0), outcome]
