"""How ``glyphscope/visualise/priors.safetensors`` was made: a mixture for each shipped data set.

    GLYPHSCOPE_DATA=... python -m training.priors FILE

The validation images of the shipped recipes take no part in it. Changed numbers change pictures:
raise ``METHOD`` in ``glyphscope.visualise.request`` with them.
"""

import sys
from pathlib import Path

import torch
from safetensors import torch as tensors
from torch import Tensor

from glyphscope.visualise.mixture import fit
from glyphscope.visualise.prior import packed
from training import data, experiment, recipe

IMAGES = 40_000
AXES = 12

CLOUDS = {"mnist": 64, "fashion-mnist": 64, "emnist": 128}
"""By recipe: EMNIST has 47 classes, the others 10."""


def priors(root: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, clouds in CLOUDS.items():
        how = recipe.load(name)
        train, _ = experiment.splits(how, root)
        mixture = fit(train.images[:IMAGES].float() / 255, clouds, AXES)
        preprocessing = data.source(how.dataset).preprocessing
        found |= {f"{preprocessing}.{key}": value for key, value in packed(mixture).items()}
    return found


if __name__ == "__main__":
    # One thread: sums in another order round differently.
    torch.set_num_threads(1)
    tensors.save_file(priors(data.data_root(None)), sys.argv[1])
