"""How the learning rate moves over a training: pure functions of the share that is done.

factor(how, step, steps) -> what the learning rate of the recipe is multiplied by at ``step``

    one-cycle     up in a line, then by cosine to zero on the last step (Smith 2018)
    constant
    cosine        1 to ``final``, 0 unless given (Loshchilov and Hutter 2017, arXiv:1608.03983)
    linear        1 to ``final``, 0 unless given
    exponential   1 to ``final``, 0.01 unless given, by the same ratio every step
    step          times ``gamma`` at each of ``milestones`` (He et al. 2015, section 4.2)

All but one-cycle begin at 1 where there is no warm-up and would reach ``final`` one step after the
last, as ``torch.optim.lr_scheduler`` has it.
"""

import math
from collections.abc import Callable

from training.recipe import ScheduleRecipe

Fall = Callable[[ScheduleRecipe, float], float]
"""(how, share done in 0..1) -> factor"""

ONE_CYCLE_WARMUP = 0.2
EXPONENTIAL_FINAL = 0.01


def _cosine(how: ScheduleRecipe, done: float) -> float:
    final = how.final or 0.0
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))


def _linear(how: ScheduleRecipe, done: float) -> float:
    return 1 - (1 - (how.final or 0.0)) * done


def _exponential(how: ScheduleRecipe, done: float) -> float:
    return float((EXPONENTIAL_FINAL if how.final is None else how.final) ** done)


def _steps(how: ScheduleRecipe, done: float) -> float:
    return float(how.gamma ** sum(done >= milestone for milestone in how.milestones))


FALLS: dict[str, Fall] = {
    "constant": lambda how, done: 1.0,
    "cosine": _cosine,
    "linear": _linear,
    "exponential": _exponential,
    "step": _steps,
}


def factor(how: ScheduleRecipe, step: int, steps: int) -> float:
    """What the learning rate is multiplied by at ``step``, counted from 0, of ``steps``."""
    if how.name == "one-cycle":
        return _one_cycle(how, (step + 1) / steps)
    rising = (how.warmup or 0.0) * steps
    if step < rising:
        return min(1.0, (step + 1) / rising)
    return FALLS[how.name](how, (step - rising) / (steps - rising))


def _one_cycle(how: ScheduleRecipe, done: float) -> float:
    warmup = ONE_CYCLE_WARMUP if how.warmup is None else how.warmup
    if done < warmup:
        return done / warmup
    return _cosine(how, (done - warmup) / (1 - warmup))
