"""Wiring: are network, loss and optimiser joined as they should be?"""

from collections.abc import Iterator, Sequence

from training.counted import counted
from training.doctor import thresholds as t
from training.doctor.figures import Figures
from training.doctor.findings import Finding, found
from training.doctor.record import Record


def check(record: Record, f: Figures) -> Iterator[Finding]:
    yield from _outputs(record, f)
    yield from _loss(record, f)
    yield from _optimiser(record)
    yield from _mode(record)
    yield from _rows(record)


def _outputs(record: Record, f: Figures) -> Iterator[Finding]:
    if record.outputs is None or record.loss_name != "cross_entropy" or record.classes < 2:
        return
    last, k = record.outputs.last, record.classes
    lowest = f"The lowest so far is {f.best:.3f}." if f.steps else ""
    if last == "softmax" or (record.outputs.probabilities and last != "sigmoid"):
        floor = t.softmax_twice_floor(k)
        yield found(
            "softmax-twice",
            f"cross_entropy was given probabilities: every row is at least 0 and sums to 1. It "
            f"takes the softmax itself, so for {k} classes the loss cannot go below "
            f"ln(e + {k - 1}) - 1 = {floor:.3f}. {lowest}",
            floor=floor,
            lowest=f.best,
        )
    elif last in ("sigmoid", "tanh"):
        floor = t.softmax_twice_floor(k) if last == "sigmoid" else t.tanh_floor(k)
        yield found(
            "output-activated",
            f"A {last} stands between the last layer and cross_entropy, so the logits stay within "
            f"{'0..1' if last == 'sigmoid' else '-1..1'} and the loss cannot go below {floor:.3f}. "
            f"{lowest}",
            floor=floor,
            lowest=f.best,
        )
    elif last == "relu":
        yield found(
            "output-activated",
            "A ReLU stands between the last layer and cross_entropy: logits below 0 become 0 and "
            "get no gradient, so a class whose logit is cut off for all images is never learned.",
        )


def _loss(record: Record, f: Figures) -> Iterator[Finding]:
    made = record.outputs
    if made is None:
        return
    if record.loss_name == "nll_loss" and not made.log_probabilities:
        what = "probabilities" if made.probabilities else "raw logits"
        yield found(
            "loss-wrong",
            f"nll_loss wants log-probabilities (log_softmax) and was given {what}: the loss has no "
            f"floor at 0; the lowest so far is {f.best:.3g}.",
            lowest=f.best,
        )
    if record.loss_name == "cross_entropy" and record.classes == 1:
        yield found(
            "loss-wrong",
            "cross_entropy was given a single output; the softmax of one number is always 1, so "
            "the loss is always 0. For two classes take two outputs, or "
            "binary_cross_entropy_with_logits.",
        )
    if record.loss_name == "binary_cross_entropy_with_logits" and made.last == "sigmoid":
        yield found(
            "loss-wrong",
            "binary_cross_entropy_with_logits applies the sigmoid itself and was given the output "
            "of one.",
        )


def _optimiser(record: Record) -> Iterator[Finding]:
    measured = record.measured_steps - 1
    if measured >= 3 and record.stale_steps / measured > t.STALE:
        yield found(
            "no-zero-grad",
            f"At {record.stale_steps} of {measured} measured steps .grad still held the gradient "
            f"of the step before when backward() added to it.",
            stale=record.stale_steps,
            measured=measured,
        )
    wiring = record.wiring
    names = [name for name, _ in wiring.missing]
    if names:
        yield found(
            "parameters-missing",
            f"No optimiser changes {counted(len(names), 'parameter')} with "
            f"{wiring.missing_share:.0%} of all weights, for which there is a gradient: "
            f"{listed(names)}.",
            share=wiring.missing_share,
            names=names,
        )
    if record.silent:
        yield found(
            "gradient-missing",
            f"{counted(len(record.silent), 'parameter')} had no gradient when step() was called: "
            f"{listed(record.silent)}.",
            names=list(record.silent),
        )


def _mode(record: Record) -> Iterator[Finding]:
    if record.sleeping and record.sleeping_steps / len(record.steps) > t.STALE:
        yield found(
            "eval-mode",
            f"At {record.sleeping_steps} of {len(record.steps)} steps the network was in eval "
            f"mode, which switches off {listed(record.sleeping)}.",
            steps=record.sleeping_steps,
            layers=list(record.sleeping),
        )


def _rows(record: Record) -> Iterator[Finding]:
    if record.wiring.rows:
        pairs = [f"{a} and {b}" for a, b in record.wiring.rows]
        yield found(
            "activation-missing",
            f"No activation function stands between {listed(pairs)}: together they can do no more "
            f"than one of them.",
            pairs=[list(pair) for pair in record.wiring.rows],
        )


def listed(names: Sequence[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def joined(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
