import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

SAMPLE = Path(__file__).parents[1] / "data/mnist-sample.npz"


WriteIdx = Callable[..., None]


def _write_idx(path: Path, values: np.ndarray, packed: bool = True) -> None:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    data = header + values.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    if packed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(data, 1))
    else:
        path.write_bytes(data)


@pytest.fixture(scope="session")
def write_idx() -> WriteIdx:
    """Writes a uint8 array in the format of the official files."""
    return _write_idx


@pytest.fixture(scope="session")
def sample() -> dict[str, np.ndarray]:
    return dict(np.load(SAMPLE))


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory, sample: dict[str, np.ndarray]) -> Path:
    """A data root with 800 real MNIST images in the official files' names and format."""
    root = tmp_path_factory.mktemp("data")
    for part, stem in (("train", "train"), ("test", "t10k")):
        _write_idx(root / f"MNIST/raw/{stem}-images-idx3-ubyte", sample[f"{part}_images"])
        _write_idx(root / f"MNIST/raw/{stem}-labels-idx1-ubyte", sample[f"{part}_labels"])
    return root


@pytest.fixture
def recipe_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "tiny.toml"
        path.write_text(text)
        return path

    return write
