import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glyphscope.errors import InvalidRecipe
from training import device

CPU = torch.device("cpu")


def test_auto_takes_bfloat16_where_the_processor_says_that_it_multiplies_it() -> None:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("the processor's flags are read on Linux only")
    flags = set(cpuinfo.read_text().split())
    native = bool(flags & {"avx512_bf16", "amx_tile"})
    assert device.precision("auto", CPU) == ("bfloat16" if native else "float32")


@pytest.mark.parametrize("wanted", ["float32", "bfloat16"])
def test_what_is_asked_for_is_taken(wanted: str) -> None:
    assert device.precision(wanted, CPU) == wanted


def test_deterministic_leaves_things_as_they_were() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    for wanted in (True, False):
        with device.deterministic(wanted):
            assert torch.are_deterministic_algorithms_enabled() == (wanted or before)
        assert torch.are_deterministic_algorithms_enabled() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none() -> None:
    assert device.choose("auto").type == "cpu"
    with pytest.raises(InvalidRecipe, match="sees no CUDA device"):
        device.choose("cuda")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators behave otherwise")
def test_large_blocks_come_from_memory_that_is_kept() -> None:
    """glibc counts what it took from the kernel for one block alone, which goes back when freed."""
    code = """
import ctypes, torch
from training import device

class Info(ctypes.Structure):  # mallinfo2(3)
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd",
        "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Info

def mapped():
    before = mallinfo().hblkhd
    block = torch.ones(12_000_000)
    return mallinfo().hblkhd - before

print(mapped())
device.keep_memory(torch.device("cpu"))
print(mapped())
"""
    command = [sys.executable, "-c", code]  # an allocator stays as it was set
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    given_back, kept = map(int, done.stdout.split())
    assert given_back >= 48_000_000
    assert kept == 0
