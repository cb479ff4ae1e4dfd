"""Which device, in which precision, compiled or not: decided here and nowhere else."""

import ctypes
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from glyphscope.errors import InvalidRecipe

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""From malloc.h; see mallopt(3)."""


def choose(name: str) -> torch.device:
    """ "auto" takes CUDA where there is one."""
    if name not in ("auto", "cpu", "cuda"):
        raise InvalidRecipe(f"unknown device {name!r}; known: auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidRecipe("device cuda: PyTorch sees no CUDA device here; use cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def precision(wanted: str, device: torch.device) -> str:
    """ "auto" takes bfloat16 only where the hardware multiplies it; emulated it is slower.

    It asks what the machine can do and measures nothing, so two runs on one machine choose alike.
    A step then takes 0.61 of float32's time for the 500-300 MLP, 0.64 for fast-cnn, 0.46 for
    card-cnn and 1.0 for linear (one CPU core with AVX512-BF16, batch 256, median of 6).
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        pays = bool(torch.cuda.is_bf16_supported(including_emulation=False))
    else:
        pays = any(
            bool(getattr(torch.cpu, probe, lambda: False)())
            for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        )
    return "bfloat16" if pays else "float32"


def keep_memory(device: torch.device) -> None:
    """Let this process keep the memory of a step for the next one, on CPUs under glibc.

    Else large blocks go back to the kernel and are asked for again, page by page, at random: a
    step of fast-cnn in float32 took 36 to 58 ms, and takes 34 to 35 (one core, n = 5 and 5);
    residual-small in bfloat16 gains 5 %.
    """
    if device.type == "cpu" and platform.libc_ver()[0] == "glibc":
        allocator = ctypes.CDLL(None)
        allocator.mallopt(M_MMAP_THRESHOLD, 2**30)
        allocator.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def compiled(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The network through ``torch.compile``, which works at the first batch and needs a compiler:
    raises ``InvalidRecipe`` then where there is none."""
    from torch._dynamo.exc import TorchDynamoException  # a second to import, so only on request

    fast: Callable[[Tensor], Tensor] = torch.compile(network)

    def forward(images: Tensor) -> Tensor:
        try:
            return fast(images)
        except TorchDynamoException as error:
            first = str(error).strip().splitlines()[0]
            raise InvalidRecipe(f"fit.compile: torch.compile fails here: {first}") from None

    return forward


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """PyTorch's algorithms that repeat to the bit; as it was before on leaving.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    before = torch.are_deterministic_algorithms_enabled()
    if wanted:
        # cuBLAS reads it when its first handle is made.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def describe(device: torch.device) -> str:
    """For the manifest: "cpu (2 cores)" or the GPU's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({os.cpu_count()} cores)"
