"""TASKS: dict[name, (workshop, job) -> answer]. They run in a process of their own."""

from collections.abc import Callable

from service.analysis.confusions import confusion
from service.analysis.embedding import places
from service.analysis.job import Answer, Job
from service.analysis.workshop import Workshop

TASKS: dict[str, Callable[[Workshop, Job], Answer]] = {
    "confusion": confusion,
    "places": places,
}


def perform(workshop: Workshop, job: Job) -> Answer:
    return TASKS[job.task](workshop, job)
