"""The map of a test set: t-SNE of what the last layer is given, see ``glyphscope.embedding``."""

import numpy as np
import torch
from torch import Tensor

from glyphscope.survey import Survey

POINTS = 2000
"""Of the survey's sample: some seconds on a core, and more would hide each other."""

MISTAKES = 200
"""Added to them where there are as many: they are what a map is searched for."""

AXES = 32
PERPLEXITY = 30.0


def embed(found: Survey, labels: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """The tensors of embedding.safetensors; ``labels`` (N,) are of the whole test set."""
    answers = found.logits.argmax(1)
    wrong = (answers != labels)[found.sample]
    rows = _rows(wrong, seed)
    kept = found.features[rows]
    centre = kept.mean(0)
    axes = _axes(kept - centre)
    reduced = (kept - centre) @ axes
    images = found.sample[rows]
    return {
        "points": _points(reduced, seed),
        "indices": images.int(),
        "labels": labels[images].int(),
        "answers": answers[images].int(),
        "features": reduced.half().contiguous(),
        "centre": centre.contiguous(),
        "axes": axes.contiguous(),
    }


def _rows(wrong: Tensor, seed: int) -> Tensor:
    """A random part of the sample, and mistakes beside it."""
    order = torch.randperm(len(wrong), generator=torch.Generator().manual_seed(seed))
    rest = order[POINTS:]
    return torch.cat([order[:POINTS], rest[wrong[rest]][:MISTAKES]]).sort().values


def _axes(away: Tensor) -> Tensor:
    """(M, D) -> (D, R), the strongest first; each turned so that its largest part is positive."""
    rows: Tensor = torch.linalg.svd(away.double(), full_matrices=False).Vh[:AXES]
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    return (rows * largest.sign()).T.float()


def _points(reduced: Tensor, seed: int) -> Tensor:
    """(M, R) -> (M, 2) inside -1..1, centred. Too few images for t-SNE lie on two axes."""
    if len(reduced) < 10 or reduced.shape[1] < 3:
        flat = torch.zeros(len(reduced), 2)
        flat[:, : min(2, reduced.shape[1])] = reduced[:, :2]
    else:
        from sklearn.manifold import TSNE  # two seconds, which every other command would pay

        perplexity = min(PERPLEXITY, (len(reduced) - 1) / 3)
        model = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
        flat = torch.from_numpy(model.fit_transform(reduced.numpy().astype(np.float32)))
    flat = flat - (flat.amin(0) + flat.amax(0)) / 2
    return (flat / flat.abs().max().clamp(min=1e-9)).float().contiguous()
