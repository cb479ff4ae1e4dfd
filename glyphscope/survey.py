"""One pass over a test set that finds all that a checkpoint carries of it.

    survey(network, input, images, labels, classes)  ->  Survey

    examples      tensors of ``examples``, over all images
    statistics    tensors of ``statistics``
    logits        (N, classes), over all images
    sample        (S,) numbers of the sampled images, rising
    features      (S, units), what the last layer is given of them

Memory: the sample's highest activations, 4 bytes a unit and image: 96 MB for the shipped networks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from glyphscope.activations import listen
from glyphscope.examples import Highest
from glyphscope.features import FeatureTap
from glyphscope.networks import Network
from glyphscope.preprocess import to_tensor
from glyphscope.roughness import high_frequency, total_variation
from glyphscope.spec import InputSpec
from glyphscope.statistics import Tally

BATCH = 500

SAMPLE = 10_000

UNRECORDED = ("dropout", "flatten")
"""Kinds whose units are another layer's."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Survey:
    examples: dict[str, Tensor]
    statistics: dict[str, Tensor]
    logits: Tensor
    sample: Tensor
    features: Tensor


def survey(
    network: Network,
    spec: InputSpec,
    images: Tensor,
    labels: Tensor,
    classes: int,
    *,
    most: int = SAMPLE,
    seed: int = 0,
    progress: Progress = lambda done, images: None,
) -> Survey:
    """``images``: uint8 (N, C, H, W); ``labels``: (N,). ``network`` is on the CPU, in eval mode."""
    layers = [layer.name for layer in network.layers if layer.kind not in UNRECORDED]
    chosen = _chosen(len(images), most, seed)
    best, tallies = Highest(), {layer: Tally() for layer in layers}
    logits, features, rough = [], [], []
    tap = FeatureTap.of(network)
    with torch.inference_mode(), listen(network, [*layers, *tap.layers]) as heard:
        for first in range(0, len(images), BATCH):
            part, sampled = images[first : first + BATCH], chosen[first : first + BATCH]
            x = to_tensor(part.numpy(), spec)
            logits.append(network(x))
            features.append(tap.features(x, heard)[sampled])
            rough.append(_roughness(part[sampled]))
            for layer in layers:
                best.add(layer, heard[layer], first)
                tallies[layer].add(heard[layer], sampled)
            progress(first + len(part), len(images))
        statistics = _tensors(tallies, labels[chosen].long(), classes, torch.cat(rough))
    return Survey(
        examples=best.tensors(),
        statistics=statistics,
        logits=torch.cat(logits),
        sample=chosen.nonzero()[:, 0],
        features=torch.cat(features),
    )


def _chosen(images: int, most: int, seed: int) -> Tensor:
    """(N,) bool. A random sample: a test set may be in the order of its classes."""
    order = torch.randperm(images, generator=torch.Generator().manual_seed(seed))
    chosen = torch.zeros(images, dtype=torch.bool)
    chosen[order[:most]] = True
    return chosen


def _roughness(images: Tensor) -> Tensor:
    """uint8 (N, C, H, W) -> (N, 2)."""
    if not len(images):
        return torch.zeros(0, 2)
    values = images.float() / 255
    return torch.stack([high_frequency(values), total_variation(values)], 1)


def _tensors(
    tallies: dict[str, Tally], labels: Tensor, classes: int, rough: Tensor
) -> dict[str, Tensor]:
    return {
        f"{layer}.{name}": tensor
        for layer, tally in tallies.items()
        for name, tensor in tally.tensors(labels, classes, rough).items()
    }
