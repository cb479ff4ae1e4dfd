import pytest
import torch

from glyphscope.errors import InvalidInput
from service.inference.device import resolve_device


def test_names() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    found = resolve_device("auto")
    assert found.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_unknown() -> None:
    with pytest.raises(InvalidInput, match="auto, cpu, cuda"):
        resolve_device("abacus")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none() -> None:
    with pytest.raises(InvalidInput, match="--device cpu"):
        resolve_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda() -> None:
    assert resolve_device("cuda").type == "cuda"
    with pytest.raises(InvalidInput, match="CUDA devices"):
        resolve_device("cuda:99")
