"""Two versions seen side by side."""

import numpy as np

from glyphscope.comparison import LayerMatch, compare
from service.analysis.job import Answer, Job, json_answer
from service.analysis.workshop import Workshop


def comparison(workshop: Workshop, job: Job) -> Answer:
    first, second = (workshop.checkpoint(name) for name in job.models)
    carried = first.images.pixels
    chosen = np.linspace(0, len(carried) - 1, min(job.options["images"], len(carried))).round()
    found = compare(first, second, carried[chosen.astype(int)], job.options["layers"])
    return json_answer(
        {
            "first": first.manifest.ref,
            "second": second.manifest.ref,
            "images": found.images,
            "agreement": found.agreement,
            "first_layers": found.first_layers,
            "second_layers": found.second_layers,
            "cka": found.cka,
            "layers": [_layer(one) for one in found.layers],
        }
    )


def _layer(found: LayerMatch) -> dict[str, object]:
    return {
        "first": found.first,
        "second": found.second,
        "cka": found.cka,
        "matches": [vars(one) for one in found.matches],
    }
