"""Priors of data sets: a mixture of Gaussians for each, fitted to training images.

    GLYPHSCOPE_DATA=... python -m training.priors FILE
        how glyphscope/visualise/priors.safetensors was made, for the shipped data sets

    own(dataset, images, classes)
        what a version of any other data set carries, fitted when it is published

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

CLOUDS = {"mnist": 64, "fashion-mnist": 64, "emnist": 256}
"""By recipe: EMNIST has 47 classes, the others 10."""

MANY_CLASSES = 16
"""Above, a data set gets as many clouds as EMNIST."""

LEAST_IMAGES = 4 * AXES
"""A cloud: fewer do not say along which axes it lies."""

LARGEST = 4096
"""Values of an image: 64x64 grey, 36x36 in colour. Beyond, a mixture takes more room than the
networks that are trained on such images, and minutes to fit."""


def priors(root: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, clouds in CLOUDS.items():
        how = recipe.load(name)
        train, _ = experiment.splits(how, root)
        mixture = fit(train.images[:IMAGES].float() / 255, clouds, AXES)
        preprocessing = data.source(how.dataset).preprocessing
        found |= {f"{preprocessing}.{key}": value for key, value in packed(mixture).items()}
    return found


def own(dataset: str, images: Tensor, classes: int) -> dict[str, Tensor]:
    """The tensors of prior.safetensors; ``images``: uint8 (N, C, H, W), those trained on. Empty for
    the data sets that the library has a prior of, for large images, and for very few."""
    shipped = {recipe.load(name).dataset for name in CLOUDS}
    some = images[:IMAGES]
    most = max(CLOUDS.values()) if classes > MANY_CLASSES else min(CLOUDS.values())
    clouds = min(most, len(some) // LEAST_IMAGES)
    if dataset in shipped or some[0].numel() > LARGEST or not clouds:
        return {}
    return packed(fit(some.float() / 255, clouds, min(AXES, some[0].numel() - 1)))


if __name__ == "__main__":
    # One thread: sums in another order round differently.
    torch.set_num_threads(1)
    tensors.save_file(priors(data.data_root(None)), sys.argv[1])
