import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from glyphscope.errors import InvalidRecipe
from training import recipe
from training.recipe import ScheduleRecipe
from training.schedules import factor

STEPS = 40


def factors(steps: int = STEPS, **how: Any) -> list[float]:
    schedule = ScheduleRecipe.model_validate(how)
    return [factor(schedule, step, steps) for step in range(steps)]


def scheduled(make: Callable[[torch.optim.Optimizer], LRScheduler]) -> list[float]:
    """What PyTorch's own scheduler gives at learning rate 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("how", "make"),
    [
        ({"name": "constant"}, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        ({"name": "cosine"}, lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS)),
        (
            {"name": "cosine", "final": 0.1},
            lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1),
        ),
        ({"name": "linear"}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, total_iters=STEPS)),
        (
            {"name": "exponential", "final": 0.7**STEPS},
            lambda o: lr_scheduler.ExponentialLR(o, gamma=0.7),
        ),
        (
            {"name": "step", "milestones": [0.25, 0.5], "gamma": 0.2},
            lambda o: lr_scheduler.MultiStepLR(o, [STEPS // 4, STEPS // 2], gamma=0.2),
        ),
        (
            {"name": "cosine", "warmup": 0.25},
            lambda o: lr_scheduler.SequentialLR(
                o,
                [
                    lr_scheduler.LinearLR(o, 4 / STEPS, 1.0, total_iters=STEPS // 4 - 1),
                    lr_scheduler.CosineAnnealingLR(o, STEPS * 3 // 4),
                ],
                [STEPS // 4],
            ),
        ),
    ],
)
def test_it_is_pytorchs_scheduler(
    how: dict[str, Any], make: Callable[[torch.optim.Optimizer], LRScheduler]
) -> None:
    assert factors(**how) == pytest.approx(scheduled(make), abs=1e-9)


def test_one_cycle_rises_in_a_line_to_one_and_falls_by_cosine_to_zero() -> None:
    found = factors()
    assert found[:8] == pytest.approx([(i + 1) / 8 for i in range(8)])
    assert found[23] == pytest.approx(0.5)  # half way down
    assert found[-1] == 0
    assert found == pytest.approx(factors(name="one-cycle", warmup=0.2))
    assert factors(warmup=0)[0] == pytest.approx(0.5 * (1 + math.cos(math.pi / STEPS)))


@pytest.mark.parametrize("name", ["constant", "cosine", "linear", "exponential", "step"])
def test_without_a_warmup_it_begins_at_one_and_with_one_it_rises_to_it(name: str) -> None:
    assert factors(name=name)[0] == 1
    rising = factors(name=name, warmup=0.5)
    assert rising[:20] == pytest.approx([(i + 1) / 20 for i in range(20)])
    assert rising[20] == 1


def test_the_ends_are_where_they_are_said_to_be() -> None:
    after = ScheduleRecipe(name="exponential")
    assert factor(after, STEPS, STEPS) == pytest.approx(0.01)
    assert factor(ScheduleRecipe(name="linear", final=0.2), STEPS, STEPS) == pytest.approx(0.2)
    assert factor(ScheduleRecipe(name="step"), STEPS, STEPS) == pytest.approx(0.01)


def test_one_step_is_enough_for_every_schedule() -> None:
    for name in ("constant", "cosine", "linear", "exponential", "step"):
        assert factors(1, name=name) == [1]
        assert factors(1, name=name, warmup=0.9) == [1]


def test_an_unknown_schedule_fails_with_the_known_ones() -> None:
    with pytest.raises(InvalidRecipe, match="'one-cycle', 'constant', 'cosine', 'linear'"):
        recipe.load("mnist", ["schedule.name=triangle"])
