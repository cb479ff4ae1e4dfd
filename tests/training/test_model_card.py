import io
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image
from torch import nn

from glyphscope.errors import Conflict
from glyphscope.folder import read_manifest
from glyphscope.manifest import Manifest
from training import recipe
from training.model_card import model_card

STORE = Path(__file__).parents[2] / "checkpoints"
ROOT = Path(__file__).parents[2]


def manifest(name: str) -> Manifest:
    return read_manifest(STORE / name / "1")


def card(name: str) -> str:
    return model_card(manifest(name), nn.Linear(3, 4))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_an_engineer_finds_what_a_card_has_to_say() -> None:
    text = card("mnist")
    found = manifest("mnist")
    assert found.metrics is not None
    assert "16 parameters" in text  # of the network that was given
    assert f"{found.metrics.accuracy:.2%}" in text
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Use", "Figures", "Data", "How it was made", "Load it", "Limits"]
    assert "Not meant for" in text
    assert "CC BY-SA 3.0" in text
    assert len(re.findall(r"^\| \d \|( +[\d.,%]+ \|){4}$", text, re.MULTILINE)) == 10


def test_the_interval_is_wilsons() -> None:
    """Against the solutions of |p - share| = z sqrt(p (1 - p) / n), found by bisection."""
    found = manifest("mnist").metrics
    assert found is not None

    def end(inside: float, outside: float) -> float:
        share, n, z = found.accuracy, found.n, 1.959964
        for _ in range(60):
            middle = (inside + outside) / 2
            within = abs(middle - share) <= z * (middle * (1 - middle) / n) ** 0.5
            inside, outside = (middle, outside) if within else (inside, middle)
        return inside

    low, high = end(found.accuracy, 0.5), end(found.accuracy, 1)
    assert f"{low:.2%} to {high:.2%}" in card("mnist")


def test_precision_is_of_the_answers_and_recall_of_the_images() -> None:
    found = manifest("emnist").metrics
    assert found is not None
    i = list(found.per_class).index("O")
    hits = found.confusion[i][i]
    answers = sum(row[i] for row in found.confusion)
    images = sum(found.confusion[i])
    row = f"| O | {images:,} | {hits / answers:.2%} | {hits / images:.2%} |"
    assert row in card("emnist")
    assert "is not comparable with networks trained on all official training images" in card(
        "emnist"
    )


def test_the_recipe_can_be_trained_again_as_it_stands(tmp_path: Path) -> None:
    found = manifest("emnist").training
    assert found is not None
    (text,) = blocks(card("emnist"), "toml")
    (tmp_path / "again.toml").write_text(text)
    assert recipe.load(str(tmp_path / "again.toml")) == recipe.parse(found.recipe)
    assert tomllib.loads(text)["dataset"] == "emnist-subset"


@pytest.mark.slow
def test_the_code_of_the_card_runs(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.frombytes("L", (28, 28), bytes(28 * 12) + bytes([255] * 28 * 3) + bytes(28 * 13)).save(
        picture, "PNG"
    )
    (tmp_path / "image.png").write_bytes(picture.getvalue())
    (tmp_path / "mnist").symlink_to(STORE / "mnist")
    (code,) = blocks(card("mnist"), "python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d\n", done.stdout)


def test_without_figures_there_is_no_card() -> None:
    bare = manifest("mnist").model_copy(update={"metrics": None})
    with pytest.raises(Conflict, match="mnist@1 was not evaluated"):
        model_card(bare, nn.Linear(1, 1))
