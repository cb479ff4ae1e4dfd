"""Under which terms the data sets may be used, and whom to cite: by name, for model cards."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """``licence`` is of the images, not of a network trained on them."""

    title: str
    licence: str
    citation: str


TERMS: dict[str, Terms] = {
    "mnist": Terms(
        "MNIST",
        "the files carry none; the set is commonly given as CC BY-SA 3.0",
        "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document "
        "recognition, Proceedings of the IEEE 86, 1998",
    ),
    "fashion-mnist": Terms(
        "Fashion-MNIST",
        "MIT, copyright 2017 Zalando SE",
        "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking "
        "machine learning algorithms, arXiv:1708.07747, 2017",
    ),
    "emnist": Terms(
        "EMNIST",
        "made from NIST Special Database 19, a work of the US government; the common CSV release "
        "is marked CC0",
        "G. Cohen, S. Afshar, J. Tapson, A. van Schaik, EMNIST: an extension of MNIST to "
        "handwritten letters, arXiv:1702.05373, 2017",
    ),
    "cifar10": Terms(
        "CIFAR-10",
        "none is stated; the author asks for the citation",
        "A. Krizhevsky, Learning multiple layers of features from tiny images, technical report, "
        "University of Toronto, 2009",
    ),
    "svhn": Terms(
        "SVHN",
        "for non-commercial use only",
        "Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng, Reading digits in natural "
        "images with unsupervised feature learning, NIPS workshop, 2011",
    ),
}


def terms(dataset: str) -> Terms | None:
    """By the name's first part: "emnist-subset" has those of EMNIST. None for a user's own data."""
    known = [name for name in TERMS if dataset == name or dataset.startswith(f"{name}-")]
    return TERMS[max(known, key=len)] if known else None
