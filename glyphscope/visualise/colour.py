"""Colours whose three numbers vary by themselves -> red, green and blue, which vary together."""

import torch
from torch import Tensor

_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Root of the covariance of ImageNet's colours, as Lucid publishes it (Olah et al. 2017)."""


def correlate(values: Tensor) -> Tensor:
    """(N, 3, H, W): a step of one length in any of the three is as likely in photos."""
    root = torch.tensor(_ROOT, device=values.device)
    root = root / root.norm(dim=0).max()
    return torch.einsum("rc,nchw->nrhw", root, values)
