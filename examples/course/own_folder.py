"""Writes the digits that lie in the repository as PNG files, a folder a class."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE = Path(__file__).parents[2] / "tests/data/mnist-sample.npz"


def write(folder: Path) -> int:
    """FOLDER/train/7/0012.png and FOLDER/test/...; returns how many."""
    count = 0
    with np.load(SAMPLE) as sample:
        for part in ("train", "test"):
            images, labels = sample[f"{part}_images"], sample[f"{part}_labels"]
            for i, (image, label) in enumerate(zip(images, labels, strict=True)):
                path = folder / part / str(label) / f"{i:04}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path)
                count += 1
    return count


if __name__ == "__main__":
    where = Path(sys.argv[1])
    sys.stdout.write(f"{write(where)} images in {where}\n")
