import pytest
import torch

from glyphscope.errors import InvalidInput
from service.inference.device import resolve_device


def test_names() -> None:
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["abacus", "mps", "cuda:", "cuda:x", "cpu:0", ""])
def test_unknown(name: str) -> None:
    with pytest.raises(InvalidInput, match="auto, cpu, cuda"):
        resolve_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none() -> None:
    with pytest.raises(InvalidInput, match="--device cpu"):
        resolve_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda() -> None:
    assert resolve_device("cuda") == "cuda"
    assert resolve_device("cuda:0") == "cuda:0"
    with pytest.raises(InvalidInput, match="CUDA devices"):
        resolve_device("cuda:99")
