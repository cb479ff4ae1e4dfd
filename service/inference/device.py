"""The name of a device -> the device, or a message that says why not.

PyTorch knows best, but importing it takes seconds: it is asked only where there may be a GPU.
"""

import ctypes
import re
from importlib.metadata import version

from glyphscope.errors import InvalidInput

CPU = "cpu"

_NAMES = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


def resolve_device(name: str) -> str:
    """ "cpu", "cuda" or "cuda:N". ``auto`` is CUDA where there is one, else the CPU."""
    if not _NAMES.fullmatch(name):
        raise InvalidInput(f"unknown device {name!r}; known: auto, cpu, cuda, cuda:N")
    if name == "auto":
        return "cuda" if _count() else CPU
    if name != CPU:
        _check_cuda(name)
    return name


def count_gpus(name: str) -> int:
    """How many of them the processes of a server can take; 0 is the CPU."""
    if resolve_device(name) == CPU:
        return 0
    return 1 if ":" in name else _count()


def share_devices(name: str, index: int) -> str:
    """Which device the process of this index takes: they go round the GPUs."""
    if resolve_device(name) == CPU or ":" in name:
        return name
    return f"cuda:{index % _count()}"


def _check_cuda(name: str) -> None:
    count = _count()
    if not count:
        raise InvalidInput(
            "device cuda was asked for, but PyTorch sees no CUDA device here; "
            "use --device auto or --device cpu"
        )
    if int(name.partition(":")[2] or 0) >= count:
        raise InvalidInput(f"device {name} was asked for, but there are {count} CUDA devices")


def _count() -> int:
    if not has_driver():
        return 0
    import torch  # here: most machines have no GPU, and need not wait

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def has_driver() -> bool:
    """Whether there is a driver that PyTorch could speak to: NVIDIA's, or ROCm's in a build for it
    (which PyTorch calls CUDA too)."""
    if "rocm" in version("torch"):
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
