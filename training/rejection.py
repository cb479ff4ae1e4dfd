"""How well a network tells its own kind of image from what is none of its classes.

    strangers(known, spec, dataset, root) -> [Stranger]     images that belong to no class
    judge(...) -> Rejection                 a score should be higher for them than for known images

Two scores: one minus the largest softmax probability (Hendrycks and Gimpel 2017, arXiv:1610.02136)
and the energy (Liu et al. 2020, arXiv:2010.03759), by which the service says "not sure".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from glyphscope.predict import energy
from glyphscope.spec import Frozen, InputSpec
from training import data
from training.data import Split
from training.fit import evaluate as logits_of
from training.gallery import picture
from training.robustness import evenly

SAMPLE, QUICK_SAMPLE = 2000, 500

HISTOGRAM_BINS = 48

SHOWN = 6
"""Pictures of each kind of stranger."""

GREYS = 256

KEPT = 0.95
"""The share of known images that is let in where the false positive rate is taken."""


@dataclass(frozen=True)
class Other:
    """A data set whose images may be strangers. ``sources``: its names, each with a path under the
    data root that tells that it is there."""

    title: str
    shows: str
    sources: dict[str, str]

    def present(self, root: Path) -> str | None:
        return next((name for name, path in self.sources.items() if (root / path).exists()), None)


OTHERS = (
    Other("MNIST digits", "characters", {"mnist": "MNIST/raw"}),
    Other("Fashion-MNIST", "garments", {"fashion-mnist": "FashionMNIST/raw"}),
    Other(
        "CIFAR-10",
        "photographs",
        {
            "cifar10": "cifar-10-batches-py",
            "cifar10-lossless": "CIFAR10/cifar10-subset-lossless.npz",
        },
    ),
)


@dataclass(frozen=True)
class Strangers:
    name: str
    title: str
    images: Tensor


class StrangerFigures(Frozen):
    """AUROC: how often a stranger scores higher than a known image, ties counting half. ``fpr95``:
    the share of strangers let in where 95 % of the known are. ``accepted``: the share that the
    model's own threshold calls in distribution. ``histogram``: shares, by ``Rejection.edges``."""

    name: str
    title: str
    n: int
    auroc_energy: float
    auroc_softmax: float
    fpr95_energy: float
    fpr95_softmax: float
    accepted: float | None
    histogram: tuple[float, ...]
    examples: tuple[str, ...]


class Rejection(Frozen):
    n: int
    threshold: float | None
    edges: tuple[float, ...]
    histogram: tuple[float, ...]
    accepted: float | None
    strangers: tuple[StrangerFigures, ...]


def judge(
    network: nn.Module,
    spec: InputSpec,
    known: Split,
    against: Sequence[Strangers],
    threshold: float | None,
    sample: int = SAMPLE,
) -> Rejection:
    """``known`` lies on the network's device."""
    part = evenly(known, sample)

    def scored(images: Tensor) -> Tensor:
        split = Split(images.to(part.images.device), torch.zeros(len(images)))
        return scores(logits_of(network, split, spec))

    inside = scored(part.images)
    outside = [scored(group.images) for group in against]
    edges = _edges(torch.cat([s[0] for s in (inside, *outside)]))
    return Rejection(
        n=len(part),
        threshold=threshold,
        edges=tuple(round(e, 4) for e in edges.tolist()),
        histogram=_histogram(inside[0], edges),
        accepted=_accepted(inside[0], threshold),
        strangers=tuple(
            _figures(group, inside, theirs, threshold, edges)
            for group, theirs in zip(against, outside, strict=True)
        ),
    )


def scores(logits: Tensor) -> Tensor:
    """(2, N) on the CPU: energy, and one minus the largest probability. Higher is stranger."""
    values = logits.double()
    # Summed over the other classes, as the probability itself rounds to 1 where a network is sure.
    others = values.scatter(1, values.argmax(1, keepdim=True), -math.inf)
    rest = (others.logsumexp(1) - values.logsumexp(1)).exp()
    return torch.stack([energy(logits).double(), rest]).cpu()


def auroc(known: Tensor, strange: Tensor) -> float:
    """The share of pairs in which the stranger scores higher, ties counting half: the area under
    the ROC curve (Hanley and McNeil 1982), without building the curve."""
    ordered = known.sort().values
    below = torch.searchsorted(ordered, strange, right=False)
    upto = torch.searchsorted(ordered, strange, right=True)
    return float((below + upto).double().mean() / (2 * len(known)))


def false_positive_rate(known: Tensor, strange: Tensor, kept: float = KEPT) -> float:
    """The share of strangers at or below the score that ``kept`` of the known do not exceed."""
    return float((strange <= torch.quantile(known, kept)).double().mean())


def strangers(
    known: Split, spec: InputSpec, dataset: str, root: Path, sample: int = SAMPLE
) -> tuple[list[Strangers], list[str]]:
    """What is to be rejected, and why some of it was left out. Nothing is downloaded for it."""
    images = evenly(known, sample).images.cpu()
    found = [
        Strangers("blank", "Blank: one grey level all over", blank(images)),
        Strangers("noise", "Noise: every pixel at random", uniform(images)),
        Strangers("shuffled", "Known images with their pixels shuffled", shuffled(images)),
    ]
    own, left_out = shows(dataset), []
    for other in OTHERS:
        name = other.present(root)
        if other.shows == own:
            continue
        if own is None:
            left_out.append(f"Rejection of {other.title}: your own data may show the same")
        elif name is None:
            left_out.append(f"Rejection of {other.title}: its files are not under the data folder")
        else:
            split = evenly(data.load(name, "test", root), sample)
            found.append(Strangers(name, other.title, fitted(split.images, spec)))
    return found, left_out


def shows(dataset: str) -> str | None:
    """What a data set's images show; None for the user's own, of which nothing is known."""
    known = {"mnist": "characters", "emnist": "characters", "svhn": "characters"}
    known |= {"fashion-mnist": "garments", "cifar10": "photographs"}
    return next((what for name, what in known.items() if dataset.startswith(name)), None)


def blank(images: Tensor) -> Tensor:
    """Every grey level once, from black to white, in the shape of ``images``."""
    levels = torch.arange(GREYS, dtype=torch.uint8).view(-1, 1, 1, 1)
    return levels.expand(-1, *images.shape[1:]).contiguous()


def uniform(images: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, images.shape, dtype=torch.uint8, generator=generator)


def shuffled(images: Tensor) -> Tensor:
    """Each image by its own permutation, the same for all its channels."""
    n, channels, height, width = images.shape
    order = torch.rand(n, height * width, generator=torch.Generator().manual_seed(0)).argsort(1)
    flat = images.flatten(2)
    return flat.gather(2, order[:, None].expand(-1, channels, -1)).view_as(images)


def fitted(images: Tensor, spec: InputSpec) -> Tensor:
    """uint8 of any size and channels -> the network's: grey by luma, resized."""
    values = images.float()
    if values.shape[1] == 3 and spec.channels == 1:
        luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        values = (values * luma).sum(1, keepdim=True)
    elif values.shape[1] == 1 and spec.channels == 3:
        values = values.expand(-1, 3, -1, -1)
    if values.shape[2:] != (spec.height, spec.width):
        size = [spec.height, spec.width]
        values = functional.interpolate(values, size, mode="bilinear", antialias=True)
    return values.round().clamp(0, 255).byte()


def _figures(
    group: Strangers, inside: Tensor, theirs: Tensor, threshold: float | None, edges: Tensor
) -> StrangerFigures:
    step = max(1, len(group.images) // SHOWN)
    return StrangerFigures(
        name=group.name,
        title=group.title,
        n=len(group.images),
        auroc_energy=round(auroc(inside[0], theirs[0]), 6),
        auroc_softmax=round(auroc(inside[1], theirs[1]), 6),
        fpr95_energy=round(false_positive_rate(inside[0], theirs[0]), 6),
        fpr95_softmax=round(false_positive_rate(inside[1], theirs[1]), 6),
        accepted=_accepted(theirs[0], threshold),
        histogram=_histogram(theirs[0], edges),
        examples=tuple(picture(image) for image in group.images[::step][:SHOWN]),
    )


def _accepted(energies: Tensor, threshold: float | None) -> float | None:
    return None if threshold is None else float((energies <= threshold).double().mean())


def _edges(energies: Tensor) -> Tensor:
    """Equal bins over all but the outermost thousandth at each end."""
    low, high = torch.quantile(energies, torch.tensor([0.001, 0.999], dtype=energies.dtype))
    return torch.linspace(float(low), max(float(high), float(low) + 1e-6), HISTOGRAM_BINS + 1)


def _histogram(energies: Tensor, edges: Tensor) -> tuple[float, ...]:
    """Shares; what lies beyond the edges counts in the outermost bins."""
    index = torch.bucketize(energies, edges[1:-1].double())
    counts = torch.bincount(index, minlength=HISTOGRAM_BINS)
    return tuple(round(c / len(energies), 6) for c in counts.tolist())
