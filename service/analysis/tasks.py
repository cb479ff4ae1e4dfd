"""TASKS: dict[name, (workshop, job) -> answer]. They run in a process of their own."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from service.analysis.adversarials import adversarials
from service.analysis.attributions import attributions
from service.analysis.comparisons import comparison
from service.analysis.confusions import confusion
from service.analysis.embedding import places
from service.analysis.evolutions import evolution
from service.analysis.inversions import inversions
from service.analysis.job import Answer, Job
from service.analysis.workshop import Workshop

TASKS: dict[str, Callable[[Workshop, Job], Answer]] = {
    "adversarials": adversarials,
    "attributions": attributions,
    "comparison": comparison,
    "confusion": confusion,
    "evolution": evolution,
    "inversions": inversions,
    "places": places,
}


def perform(workshop: Workshop, job: Job) -> Answer:
    if job.pixels is not None:
        # A request's own may be read-only, which torch does not take.
        job = replace(job, pixels=np.array(job.pixels))
    return TASKS[job.task](workshop, job)
