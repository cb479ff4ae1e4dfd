"""A cell of the confusion matrix: its images, and the units that were misled."""

from collections.abc import Sequence
from typing import Any

from glyphscope.confusion import UnitDifference, between, in_cell
from service.analysis.job import Answer, Job, json_answer
from service.analysis.workshop import Workshop
from service.microscopy import image_of


def confusion(workshop: Workshop, job: Job) -> Answer:
    checkpoint = workshop.checkpoint(job.models[0])
    truth, answer = job.options["truth"], job.options["answer"]
    cell = checkpoint.confusions.cell(truth, answer)
    shown = (image_of(checkpoint, index) for index in cell.examples)
    with_statistics = bool(checkpoint.statistics.layers)
    apart = between(checkpoint, truth, answer) if with_statistics and truth != answer else []
    return json_answer(
        {
            "model": checkpoint.manifest.name,
            "version": checkpoint.manifest.version,
            "truth": {"label": checkpoint.labels[truth], "index": truth},
            "answer": {"label": checkpoint.labels[answer], "index": answer},
            "count": cell.count,
            "examples": [one for one in shown if one is not None],
            "units": _units(in_cell(checkpoint, truth, answer) if with_statistics else []),
            "between": _units(apart),
        }
    )


def _units(found: Sequence[UnitDifference]) -> list[dict[str, Any]]:
    return [vars(one) for one in found]
