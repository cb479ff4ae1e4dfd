from pathlib import Path

import pytest
import torch
from safetensors import torch as tensors

from glyphscope import embedding
from glyphscope.embedding import Embedding
from glyphscope.errors import BrokenCheckpoint


@pytest.fixture
def two_clouds() -> Embedding:
    """Forty images of two classes: far apart in 3 features, left and right on the map."""
    labels = torch.arange(40) % 2
    away = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)) * 0.1
    features = away + labels[:, None] * torch.tensor([4.0, 0, 0])
    points = torch.stack([labels * 1.0 - 0.5, torch.linspace(-0.5, 0.5, 40)], 1)
    return Embedding(
        {
            "points": points,
            "indices": torch.arange(100, 140, dtype=torch.int32),
            "labels": labels.int(),
            "answers": labels.int(),
            "features": features.half(),
            "centre": torch.full((3,), 2.0),
            "axes": torch.eye(3),
        }
    )


def test_a_known_image_lies_where_it_lies(two_clouds: Embedding) -> None:
    features = two_clouds.values["features"].float() + two_clouds.values["centre"]
    for i, found in enumerate(two_clouds.place(features)):
        assert (found.x, found.y) == pytest.approx(two_clouds.points[i].tolist(), abs=0.02)
        assert found.neighbours[0].index == 100 + i
        assert found.neighbours[0].distance == pytest.approx(0, abs=1e-3)


def test_a_new_one_lies_among_its_nearest(two_clouds: Embedding) -> None:
    new = torch.tensor([[6.1, 2.0, 2.1], [2.0, 1.9, 2.0]])  # of class 1, and of class 0
    right, left = two_clouds.place(new)
    assert right.x == pytest.approx(0.5, abs=1e-4)
    assert left.x == pytest.approx(-0.5, abs=1e-4)
    assert {n.label for n in right.neighbours} == {1}
    distances = [n.distance for n in right.neighbours]
    assert distances == sorted(distances)


def test_the_file_is_read_or_refused(tmp_path: Path, two_clouds: Embedding) -> None:
    assert embedding.read(tmp_path) is None
    path = tmp_path / "embedding.safetensors"
    tensors.save_file(dict(two_clouds.values), path)
    found = embedding.read(tmp_path)
    assert found is not None
    assert len(found) == 40
    tensors.save_file({"points": two_clouds.points}, path)
    with pytest.raises(BrokenCheckpoint, match=r"embedding\.safetensors lacks indices"):
        embedding.read(tmp_path)
