"""The table of the marks, in Markdown: what the docs carry."""

from dataclasses import dataclass

from torch import Tensor

from benchmarks.maximising.marks import Figures
from benchmarks.maximising.referee import Referee

HEAD = (
    "| method | r | r >= 0.8 | HF x | TV x | referee | p | NN | seeds alike | core s |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Mark:
    """``says`` of a method's figures, with the number that is judged and whether it is met."""

    name: str
    found: str
    met: bool


def row(name: str, of: Figures, seconds: float) -> str:
    """Medians with the range of the middle 80 %; means where the mark is of a mean."""
    cells = [
        name,
        _spread(of.r),
        _percent(of.r >= 0.8),
        _spread(of.high_frequency),
        _spread(of.total_variation),
        _mean(of.agreement),
        _mean(of.probability),
        _median(of.nearest, 3),
        _mean(of.correlation),
        f"{seconds:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def marks(logits: Figures, channels: Figures, referee: Referee) -> list[Mark]:
    """Marks 1 to 4. Logits and channels have to reach the first two each by itself."""
    found = [*_of_all("logits", logits), *_of_all("channels", channels)]
    agreement, probability = float(logits.agreement.mean()), float(logits.probability.mean())
    near, alike = float(logits.nearest.median()), float(logits.correlation.mean())
    return [
        *found,
        Mark(
            "3 referee agrees as often as on real images",
            f"{agreement:.3f} of {referee.accuracy:.3f}",
            agreement >= referee.accuracy,
        ),
        Mark("3 mean target probability >= .80", f"{probability:.3f}", probability >= 0.8),
        Mark("4 NN >= .93", f"{near:.3f} (real images {referee.realism:.3f})", near >= 0.93),
        Mark("4 seeds correlate <= .75", f"{alike:.3f}", alike <= 0.75),
    ]


def _of_all(name: str, of: Figures) -> list[Mark]:
    r, enough = float(of.r.median()), float((of.r >= 0.8).float().mean())
    fine, rough = float(of.high_frequency.median()), float(of.total_variation.median())
    return [
        Mark(f"1 {name}: median r >= 1.0", f"{r:.2f}", r >= 1),
        Mark(f"1 {name}: r >= 0.8 for 95 %", f"{enough:.1%}", enough >= 0.95 - 1e-6),
        Mark(f"2 {name}: median HF <= 1.5", f"{fine:.2f}", fine <= 1.5),
        Mark(f"2 {name}: median TV 0.7 to 1.3", f"{rough:.2f}", 0.7 <= rough <= 1.3),
    ]


def lines(found: list[Mark]) -> list[str]:
    return [
        "| mark | found | |",
        "|---|---|---|",
        *(f"| {m.name} | {m.found} | {'met' if m.met else '**not met**'} |" for m in found),
    ]


def _spread(values: Tensor) -> str:
    low, middle, high = (float(values.quantile(q)) for q in (0.1, 0.5, 0.9))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _median(values: Tensor, digits: int) -> str:
    return f"{float(values.median()):.{digits}f}" if len(values) else "-"


def _mean(values: Tensor) -> str:
    return f"{float(values.float().mean()):.2f}" if len(values) else "-"


def _percent(values: Tensor) -> str:
    return f"{float(values.float().mean()):.0%}"
