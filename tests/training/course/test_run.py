"""What is done stays done, what fails is told, what is missing is left out."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from training.course import page
from training.course.plan import Experiment, Step
from training.course.run import Record, in_a_process, recorded, run


def experiment(*steps: Step) -> Experiment:
    return Experiment(letter="x", title="Sums & <products>", look="At these.", steps=steps)


class Calls:
    """Stands for the processes: remembers the words, says something, may draw, ends with a code."""

    def __init__(self, code: int = 0, draw: str | None = None) -> None:
        self.words: list[tuple[str, ...]] = []
        self.code, self.draw = code, draw

    def __call__(self, words: Sequence[str], root: Path, tell: Callable[[str], None]) -> int:
        self.words.append(tuple(words))
        tell("accuracy 99 %")
        if self.draw:
            path = Path(self.draw)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4)).save(path)
        return self.code


def go(what: Experiment, out: Path, call: Calls, short: bool = False) -> tuple[Record, ...]:
    return run(what, out, out / "data", short, call, lambda line: None)


FIT = Step(command=("fit", "mnist", "--runs={out}/runs"), short=("--set=fit.epochs=1",))


def test_the_folder_and_the_short_form_are_put_into_the_words(tmp_path: Path) -> None:
    calls = Calls()
    go(experiment(FIT), tmp_path, calls)
    go(experiment(FIT), tmp_path, calls, short=True)
    full, short = calls.words
    assert full == ("-m", "training.cli", "fit", "mnist", f"--runs={tmp_path}/x/runs")
    assert short[: len(full)] == full
    # The step's own word comes last, so it beats what every training gets.
    assert short[-1] == "--set=fit.epochs=1"
    assert "--set=split.train=4000" in short


def test_what_is_done_is_not_done_again_and_what_failed_is(tmp_path: Path) -> None:
    network = Step(command=("network", "mnist"))
    go(experiment(FIT), tmp_path, Calls())
    again = Calls(code=1)
    records = go(experiment(FIT, network), tmp_path, again)
    assert [words[2] for words in again.words] == ["network"]
    assert [r.state for r in records] == ["done", "failed"]
    assert recorded(tmp_path / "x") == records
    mended = Calls()
    assert [r.state for r in go(experiment(FIT, network), tmp_path, mended)] == ["done", "done"]
    assert [words[2] for words in mended.words] == ["network"]


def test_a_diagnosis_is_no_failure(tmp_path: Path) -> None:
    [record] = go(experiment(Step(example="doctor.sick.zero_init")), tmp_path, Calls(code=3))
    assert record.state == "done"
    assert record.command == "python -m examples.doctor.sick.zero_init"


def test_what_needs_absent_data_is_left_out(tmp_path: Path) -> None:
    calls = Calls()
    step = Step(command=("fit", "svhn"), needs="SVHN/train_32x32.mat")
    [record] = go(experiment(step), tmp_path, calls)
    assert (record.state, calls.words) == ("skipped", [])
    assert record.output == "left out: SVHN/train_32x32.mat is not in the data root"
    (tmp_path / "data/SVHN").mkdir(parents=True)
    (tmp_path / "data/SVHN/train_32x32.mat").touch()
    assert go(experiment(step), tmp_path, calls)[0].state == "done"


def test_the_page_holds_words_and_pictures(tmp_path: Path) -> None:
    drawn = tmp_path / "x/plot.png"
    what = experiment(FIT)
    told = [(what, go(what, tmp_path, Calls(draw=str(drawn))))]
    assert told[0][1][0].pictures == ("plot.png",)
    text = page.write(told, tmp_path, short=True).read_text()
    assert "Sums &amp; &lt;products&gt;" in text
    assert "accuracy 99 %" in text
    assert text.count("data:image/png;base64,") == 1
    assert "http" not in text.split("</style>")[1]


def test_a_step_is_a_process_whose_lines_are_heard(tmp_path: Path) -> None:
    lines: list[str] = []
    words = ["-m", "examples.course.own_folder", str(tmp_path / "digits")]
    assert in_a_process(words, tmp_path, lines.append) == 0
    assert lines == [f"800 images in {tmp_path / 'digits'}"]
    assert in_a_process(words[:2], tmp_path, lines.append) == 1
    assert lines[-1].startswith("IndexError")


def test_a_step_knows_the_data_root(tmp_path: Path) -> None:
    lines: list[str] = []
    words = ["-c", "import os; print(os.environ['GLYPHSCOPE_DATA'])"]
    assert in_a_process(words, tmp_path, lines.append) == 0
    assert lines == [str(tmp_path)]
