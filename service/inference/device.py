"""The name of a device -> the device, or a message that says why not."""

import torch

from glyphscope.errors import InvalidInput


def resolve_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InvalidInput(f"unknown device {name!r}; known: auto, cpu, cuda, cuda:N") from None
    if device.type == "cuda":
        _check_cuda(device)
    return device


def count_gpus(name: str) -> int:
    """How many of them the processes of a server can take; 0 is the CPU."""
    if resolve_device(name).type != "cuda":
        return 0
    return 1 if ":" in name else torch.cuda.device_count()


def share_devices(name: str, index: int) -> str:
    """Which device the process of this index takes: they go round the GPUs."""
    if resolve_device(name).type != "cuda" or ":" in name:
        return name
    return f"cuda:{index % torch.cuda.device_count()}"


def _check_cuda(device: torch.device) -> None:
    if not torch.cuda.is_available():
        raise InvalidInput(
            "device cuda was asked for, but PyTorch sees no CUDA device here; "
            "use --device auto or --device cpu"
        )
    count = torch.cuda.device_count()
    if (device.index or 0) >= count:
        raise InvalidInput(f"device {device} was asked for, but there are {count} CUDA devices")
