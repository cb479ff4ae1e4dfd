"""torch-lucent, in an environment of its own: reads a job from a folder, writes pictures there.

    python -m benchmarks.maximising.lucent_program FOLDER

    job.json       {"network": spec, "mean": m, "std": s, "layer", "units", "seeds", "standard"}
    weights.safetensors
    pictures.npy   float (units, seeds, H, W) in 0..1, the answer

``standard``: with lucent's standard transforms, as its users get it; else without any.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import torch as tensors
from torch import Tensor, nn

from glyphscope.networks import build
from glyphscope.spec import NetworkSpec
from training import vision

STEPS = 128
SIDE = 28


class Subject(nn.Module):
    """Lucent gives one channel; it enlarges to 224 and wants layers by plain names."""

    def __init__(self, network: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.network, self.mean, self.std = network, mean, std

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.network((x - self.mean) / self.std)
        return found


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    vision.module("transforms")  # lucent imports it
    param, render, transform = (
        importlib.import_module(f"lucent.optvis.{name}")
        for name in ("param", "render", "transform")
    )
    job: dict[str, Any] = json.loads((folder / "job.json").read_text())
    network = build(NetworkSpec.model_validate(job["network"]))
    network.load_state_dict(tensors.load_file(folder / "weights.safetensors"))
    subject = Subject(network.eval().requires_grad_(False), job["mean"], job["std"]).eval()
    layer = "network_" + job["layer"].replace(".", "_")
    transforms = transform.standard_transforms if job["standard"] else []

    def picture(unit: int, seed: int) -> Any:
        torch.manual_seed(seed)
        return render.render_vis(
            subject,
            f"{layer}:{unit}",
            lambda: param.image(SIDE, channels=1),
            transforms=list(transforms),
            thresholds=(STEPS,),
            preprocess=False,
            progress=False,
            show_image=False,
            fixed_image_size=SIDE,
        )[0][0, :, :, 0]

    found = [[picture(unit, seed) for seed in job["seeds"]] for unit in job["units"]]
    np.save(folder / "pictures.npy", np.array(found, dtype=np.float32))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
