"""Which device, and in which precision: decided here and nowhere else."""

import os

import torch

from glyphscope.errors import InvalidRecipe


def choose(name: str) -> torch.device:
    """ "auto" takes CUDA where there is one."""
    if name not in ("auto", "cpu", "cuda"):
        raise InvalidRecipe(f"unknown device {name!r}; known: auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidRecipe("device cuda: PyTorch sees no CUDA device here; use cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def bfloat16(precision: str, device: torch.device) -> bool:
    """ "auto" says yes only where the hardware multiplies bfloat16; emulated it is slower."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return any(
        bool(getattr(torch.cpu, probe, lambda: False)())
        for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )


def describe(device: torch.device) -> str:
    """For the manifest: "cpu (2 cores)" or the GPU's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({os.cpu_count()} cores)"
