"""What a version carries of its test set, so that a service without data sets can tell and show.

    collect(network, input, test, calibration)  ->  {file name: bytes}

examples, statistics, confusions, embedding, and the pixels of every image that those refer to: see
the modules of the library that read them.
"""

from collections.abc import Iterator, Sequence

from safetensors import torch as tensors
from torch import Tensor

from glyphscope import confusion, example_images
from glyphscope import manifest as m
from glyphscope.manifest import Calibration
from glyphscope.networks import Network
from glyphscope.predict import probabilities
from glyphscope.spec import InputSpec
from glyphscope.survey import Progress, survey
from training.data import Split
from training.embed import embed


def collect(
    network: Network,
    spec: InputSpec,
    test: Split,
    calibration: Calibration,
    progress: Progress = lambda done, images: None,
) -> dict[str, bytes]:
    """``network`` is on the CPU, in eval mode."""
    classes = network.output_shape[0]
    found = survey(network, spec, test.images, test.labels, classes, progress=progress)
    answers = probabilities(found.logits, calibration)
    cells = confusion.collect(test.labels, answers)
    places = embed(found, test.labels)
    wanted = _wanted(cells["examples"], found.examples, places["indices"])
    return {
        m.EXAMPLES: tensors.save(found.examples),
        m.STATISTICS: tensors.save(found.statistics),
        m.CONFUSIONS: tensors.save(cells),
        m.EMBEDDING: tensors.save(places),
        **example_images.pack(test.images, test.labels, answers, wanted),
    }


def _wanted(cells: Tensor, examples: dict[str, Tensor], places: Tensor) -> Iterator[Sequence[int]]:
    """Image numbers, the most needed first: where room is short, every unit keeps its best."""
    yield cells[cells >= 0].tolist()
    indices = [value for key, value in examples.items() if key.endswith(".indices")]
    for rank in range(max(value.shape[1] for value in indices)):
        for value in indices:
            yield value[:, rank].tolist()
    yield places.tolist()
