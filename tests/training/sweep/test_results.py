import csv
import io

import numpy as np
import pytest

from training import recipe
from training.sweep.results import Result, Results, summarise


def result(value: str, replicate: int, accuracy: float | None, state: str = "done") -> Result:
    return Result.model_validate(
        {
            "setting": {"fit.epochs": value}, "replicate": replicate, "seed": replicate,
            "state": state, "validation_accuracy": accuracy, "train_accuracy": accuracy,
            "epochs": 1, "seconds": 1.0, "run": "x", "reason": 'a "quoted", reason',
        }
    )  # fmt: skip


CELLS = [
    result("1", 0, 0.90), result("1", 1, 0.92), result("1", 2, 0.97),
    result("2", 0, 0.5), result("2", 1, None, "diverged"), result("2", 2, None, "failed"),
]  # fmt: skip


def test_mean_and_deviation_are_the_samples() -> None:
    one, two, three = summarise(CELLS, [(("fit.epochs", v),) for v in ("1", "2", "3")])
    assert one.mean == pytest.approx(np.mean([0.90, 0.92, 0.97]))
    assert one.sd == pytest.approx(np.std([0.90, 0.92, 0.97], ddof=1))
    assert (two.n, two.mean, two.sd, two.diverged, two.failed) == (1, 0.5, None, 1, 1)
    assert (three.n, three.mean, three.sd) == (0, None, None)


def test_a_spreadsheet_reads_the_rows() -> None:
    found = Results(
        recipe=recipe.load("mnist"), factors={"fit.epochs": ("1", "2")}, replicates=3,
        cells=tuple(CELLS),
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [row["validation_accuracy"] for row in rows] == ["0.9", "0.92", "0.97", "0.5", "", ""]
    assert {row["reason"] for row in rows} == {'a "quoted", reason'}
    assert Results.model_validate_json(found.model_dump_json()) == found
