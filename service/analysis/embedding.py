"""Where images lie on the map of the test set."""

from glyphscope.checkpoint import Checkpoint
from glyphscope.embedding import Place, place
from service.analysis.job import Answer, Job, json_answer
from service.analysis.workshop import Workshop
from service.microscopy import image_of


def places(workshop: Workshop, job: Job) -> Answer:
    checkpoint = workshop.checkpoint(job.models[0])
    assert job.pixels is not None
    return json_answer(
        {
            "model": checkpoint.manifest.name,
            "version": checkpoint.manifest.version,
            "places": [_place(checkpoint, found) for found in place(checkpoint, job.pixels)],
        }
    )


def _place(checkpoint: Checkpoint, found: Place) -> dict[str, object]:
    labels = checkpoint.labels
    return {
        "x": found.x,
        "y": found.y,
        "neighbours": [
            {
                "index": one.index,
                "label": labels[one.label],
                "answer": labels[one.answer],
                "distance": one.distance,
                "image": (image_of(checkpoint, one.index) or {}).get("image"),
            }
            for one in found.neighbours
        ],
    }
