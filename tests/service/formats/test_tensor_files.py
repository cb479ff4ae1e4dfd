"""Read back by numpy, Python's own zip reader and safetensors."""

import io
import zipfile
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from service.formats.tensor_files import npz
from service.formats.tensor_files import safetensors as write_safetensors

Maps = dict[str, np.ndarray[Any, np.dtype[np.float32]]]

RANDOM = np.random.default_rng(0)

FOUND: dict[str, Maps] = {
    "maps": {
        "conv1": RANDOM.normal(size=(2, 3, 5, 7)).astype(np.float32),
        "block1.shortcut": RANDOM.normal(size=(2, 3, 1, 1)).astype(np.float32),
        "logits": RANDOM.normal(size=(2, 10)).astype(np.float32),
    },
    "one number": {"x": np.array([[1.5]], np.float32)},
    "not contiguous": {"x": np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1)},
    "no finite numbers": {"x": np.array([[np.nan, np.inf, -np.inf]], np.float32)},
}


@pytest.mark.parametrize("name", FOUND)
def test_npz(name: str) -> None:
    wanted = FOUND[name]
    data = npz(wanted)
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        assert list(found) == list(wanted)
        for key, values in wanted.items():
            assert found[key].dtype == np.float32
            np.testing.assert_array_equal(found[key], values)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize("name", FOUND)
def test_safetensors(name: str) -> None:
    wanted = FOUND[name]
    found = safetensors.numpy.load(write_safetensors(wanted))
    assert set(found) == set(wanted)
    for key, values in wanted.items():
        assert found[key].dtype == np.float32
        np.testing.assert_array_equal(found[key], values)


def test_equal_arrays_give_equal_files() -> None:
    assert npz(FOUND["maps"]) == npz(dict(FOUND["maps"]))
