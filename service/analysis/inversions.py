"""What a layer still knows of an image."""

from glyphscope.inversion import InversionOptions, invert
from glyphscope.visualise import png
from service.analysis.attributions import seen
from service.analysis.job import Answer, Job, json_answer
from service.analysis.workshop import Workshop


def inversions(workshop: Workshop, job: Job) -> Answer:
    checkpoint = workshop.checkpoint(job.models[0])
    options = job.options
    assert job.pixels is not None
    settings = InversionOptions.model_validate(options["settings"])
    found = [invert(checkpoint, pixels, options["layer"], settings) for pixels in job.pixels]
    if options["format"] == "png":
        return Answer(png(found[0].pixels, options["scale"]), "image/png")
    return json_answer(
        {
            "model": checkpoint.manifest.name,
            "version": checkpoint.manifest.version,
            "layer": options["layer"],
            "inversions": [{"error": one.error, "picture": seen(one.pixels)} for one in found],
        }
    )
