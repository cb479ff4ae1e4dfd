"""Where a climb begins: at an image drawn from the prior that drives its unit already.

Plain ascent cannot get from a coat to a boot without passing through noise. So the prior's samples
are looked at first, all by one pass, and each picture begins at one of those that its unit likes
best; which one, its seed says. Nothing of a real image is copied, and the climb goes on from there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from glyphscope.checkpoint import Checkpoint
from glyphscope.preprocess import normalise
from glyphscope.visualise.crew import Watch, work
from glyphscope.visualise.request import MaximisationRequest
from glyphscope.visualise.summed import compile_terms
from glyphscope.visualise.trunk import Trunk

PART = 64
"""Samples a pass, so that a wish to stop is heard soon."""

MOST, FEWEST = 32, 4
"""How many of the best may be begun at."""

REACH = 0.25
"""And how far below the best, as a share of its distance from the median: one sample in thirty of
the shipped data sets is of a given class, and beyond it come those of others."""


@dataclass(frozen=True)
class Starts:
    """``images`` (M, C, H, W) in 0..1, and what each unit says to them, (M,)."""

    images: Tensor
    scores: Mapping[int, Tensor]

    def pick(self, units: Sequence[int], seeds: Sequence[int]) -> Tensor:
        """(N, C, H, W), of each unit by its seed."""
        return torch.stack([self._one(u, s) for u, s in zip(units, seeds, strict=True)])

    def _one(self, unit: int, seed: int) -> Tensor:
        scores = self.scores[unit]
        best, order = scores.topk(min(MOST, len(scores)))
        near = int((best >= best[0] - REACH * (best[0] - scores.median())).sum())
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randint(max(near, FEWEST), (), generator=generator)
        return self.images[order[min(int(chosen), len(order) - 1)]]


def starts(
    checkpoint: Checkpoint,
    request: MaximisationRequest,
    units: Sequence[int],
    images: Tensor,
    threads: int,
    cancelled: Callable[[], bool],
) -> Starts:
    """``images``: the prior's samples. Raises ``Cancelled``.

    A plain objective is scored for its whole layer and remembered by the checkpoint.
    """
    if not isinstance(request.objective, str) or request.closed:
        scores = _scores(checkpoint, request, units, images, threads, cancelled)
        return Starts(images, dict(zip(units, scores, strict=True)))
    name = f"starts/{request.objective}/{request.layer}/{request.position}"
    if name not in checkpoint.memory:
        [layer] = [found for found in checkpoint.network.layers if found.name == request.layer]
        whole = range(layer.units)
        checkpoint.memory[name] = _scores(checkpoint, request, whole, images, threads, cancelled)
    known: Tensor = checkpoint.memory[name]
    return Starts(images, {unit: known[unit] for unit in units})


def _scores(
    checkpoint: Checkpoint,
    request: MaximisationRequest,
    units: Sequence[int],
    images: Tensor,
    threads: int,
    cancelled: Callable[[], bool],
) -> Tensor:
    """(units, images)."""
    trunk = Trunk(checkpoint.network, compile_terms(request.terms, units[:1]).layers)
    parts = images.split(PART)
    tasks = [partial(_part, checkpoint, request, units, trunk, part) for part in parts]
    found = dict(work(tasks, threads, cancelled))
    return torch.cat([found[i] for i in range(len(parts))], dim=1)


def _part(
    checkpoint: Checkpoint,
    request: MaximisationRequest,
    units: Sequence[int],
    trunk: Trunk,
    images: Tensor,
    tell: Callable[[Tensor], None],
    watch: Watch,
) -> None:
    """Tells (units, images)."""
    watch()
    x = normalise(images.to(checkpoint.device), checkpoint.manifest.input)
    with torch.inference_mode():
        heard = trunk(x.contiguous(memory_format=torch.channels_last), watch=watch)
        objectives = [compile_terms(request.terms, [unit] * len(images)) for unit in units]
        tell(torch.stack([objective.score(heard) for objective in objectives]).cpu())
