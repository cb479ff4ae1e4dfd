"""A manifest as a page for people: MODEL_CARD.md.

Headings after Mitchell et al. 2019 (arXiv:1810.03993): use, data, figures with their uncertainty,
limits; then how it was made and how to load it.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from glyphscope.errors import Conflict
from glyphscope.manifest import Manifest, Metrics, Training
from glyphscope.spec import InputSpec
from training import data, measure
from training.counted import counted
from training.licences import terms

CONFUSED_PAIRS = 5


def model_card(manifest: Manifest, network: nn.Module) -> str:
    """Raises ``Conflict`` for a manifest without figures: only evaluated runs get a card."""
    metrics, training = manifest.metrics, manifest.training
    if metrics is None or training is None:
        raise Conflict(f"{manifest.ref} was not evaluated")
    parameters = sum(p.numel() for p in network.parameters())
    parts = (
        _head(manifest, metrics, parameters),
        _use(manifest),
        _figures(metrics),
        _data(metrics, training),
        _making(training, manifest),
        _loading(manifest),
        _limits(metrics, training),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(manifest: Manifest, metrics: Metrics, parameters: int) -> Iterator[str]:
    low, high = _interval(metrics)
    yield f"# {manifest.ref}\n"
    yield (
        f"Names small images as one of {len(manifest.labels)} classes. A {manifest.network.name} "
        f"network of {parameters:,} parameters; test accuracy {metrics.accuracy:.2%} "
        f"({low:.2%} to {high:.2%}, 95 % interval, n = {metrics.n:,})."
    )


def _use(manifest: Manifest) -> Iterator[str]:
    yield "## Use\n"
    yield f"- **Input**: {_input(manifest.input)}."
    yield f"- **Answer**: one of {', '.join(f'`{name}`' for name in manifest.labels.names)}."
    yield (
        "- **Meant for** teaching, demonstrations, and research on what networks learn, on images "
        "like those it was trained on."
    )
    yield (
        "- **Not meant for** decisions about people, nor for reading forms, cheques or signs: "
        "nothing of that kind was measured."
    )


def _input(spec: InputSpec) -> str:
    colour = "grey" if spec.channels == 1 else "RGB"
    ink = spec.channels == 1 and spec.preprocessing != "picture"
    ground = ", light on a dark ground" if ink else ""
    return (
        f"{spec.height}x{spec.width} pixels, {colour}{ground}; other pictures are fitted to that "
        f"as `{spec.preprocessing}` says"
    )


def _figures(metrics: Metrics) -> Iterator[str]:
    low, high = _interval(metrics)
    yield "## Figures\n"
    yield "The test set was read once, at the end; every choice was made on validation images.\n"
    yield from _table(
        ("what", "figure"),
        [
            (f"test accuracy ({metrics.split}, n = {metrics.n:,})", f"{metrics.accuracy:.2%}"),
            ("its 95 % interval (Wilson)", f"{low:.2%} to {high:.2%}"),
            ("validation accuracy", f"{metrics.validation_accuracy:.2%}"),
            ("expected calibration error after temperature, 15 bins", f"{metrics.ece:.2%}"),
        ],
    )
    counts, names = torch.tensor(metrics.confusion), list(metrics.per_class)
    yield "\nBy class, on the test images:\n"
    rows = measure.class_figures(counts, names)
    yield from _table(
        ("class", "images", "precision", "recall", "F1"),
        [
            (r.name, f"{r.n:,}", f"{r.precision:.2%}", f"{r.recall:.2%}", f"{r.f1:.2%}")
            for r in rows
        ],
    )
    mistaken = _most_confused(counts, names)
    if mistaken:
        yield "\nTaken for one another most often:\n"
        yield from _table(("image of", "called", "times"), mistaken)


def _most_confused(counts: torch.Tensor, names: list[str]) -> list[tuple[str, str, str]]:
    wrong = counts.clone().fill_diagonal_(0)
    order = wrong.flatten().argsort(descending=True, stable=True)[:CONFUSED_PAIRS].tolist()
    cells = [divmod(index, len(names)) for index in order]
    return [(names[i], names[j], f"{n:,}") for i, j in cells if (n := int(wrong[i, j]))]


def _data(metrics: Metrics, training: Training) -> Iterator[str]:
    yield "## Data\n"
    yield (
        f"Trained on {training.train_images:,} images of `{training.dataset}`; "
        f"{training.validation_images:,} more were held out for validation "
        f"(split seed {training.split_seed}). Tested on {metrics.n:,} images of `{metrics.split}`."
    )
    for dataset in dict.fromkeys((training.dataset, metrics.split)):
        if dataset in data.SOURCES and (note := data.SOURCES[dataset].note):
            yield f"\n`{dataset}`: {note}."
    known = terms(training.dataset)
    if known is None:
        yield "\nThe images are the publisher's own; ask there under which terms they may be used."
    else:
        yield f"\nLicence of {known.title}: {known.licence}. Cite: {known.citation}."


def _making(training: Training, manifest: Manifest) -> Iterator[str]:
    commit = f", commit {training.git_commit[:12]}" if training.git_commit else ""
    yield "## How it was made\n"
    yield (
        f"{counted(training.epochs, 'epoch')}, seed {training.seed}, on {training.device}: "
        f"{training.seconds:,.0f} s of training loop. PyTorch {training.torch_version}{commit}. "
        f"Published {manifest.created[:10]}."
    )
    yield "\nThe recipe, as `glyphscope-train fit` takes it:\n"
    yield "```toml"
    yield from _toml(training.recipe)
    yield "```"


def _loading(manifest: Manifest) -> Iterator[str]:
    name, ref = manifest.name, manifest.ref
    yield "## Load it\n"
    yield "Over HTTP, from a running `glyphscope-serve`:\n"
    yield "```sh"
    yield "curl -H 'Content-Type: image/png' --data-binary @image.png \\"
    yield f"     http://127.0.0.1:8000/v1/models/{ref}/classify"
    yield "```\n"
    yield "In Python, from the folder that holds the store's:\n"
    yield "```python"
    yield "from pathlib import Path"
    yield ""
    yield "from glyphscope import checkpoint, predict, preprocess"
    yield ""
    yield f'model = checkpoint.load(Path("{name}/{manifest.version}"))  # files are verified'
    yield "manifest = model.manifest"
    yield 'pixels = preprocess.image(Path("image.png").read_bytes(), manifest.input)'
    yield "logits = model.network(preprocess.to_tensor(pixels[None], manifest.input))"
    yield "print(predict.predict(logits, model.labels, manifest.calibration)[0].label)"
    yield "```"
    if manifest.onnx is not None:
        yield ""
        yield (
            f"`model.onnx` (opset {manifest.onnx.opset}) is the same network for ONNX Runtime: its "
            f"logits differ by at most {manifest.onnx.max_abs_difference:.1e} on "
            f"{manifest.onnx.checked_images:,} validation images. It takes pixels in 0..1, less "
            "the mean, over the standard deviation; its metadata has both, and the labels."
        )


def _limits(metrics: Metrics, training: Training) -> Iterator[str]:
    yield "## Limits\n"
    yield (
        "- It answers with one of its classes, whatever it is shown; `in_distribution` is a hint, "
        "no proof."
    )
    yield "- The interval is that of the test images alone: another seed gives other weights."
    if metrics.split != training.dataset:
        yield (
            f"- It was trained on {training.dataset} and judged on {metrics.split}, so its figure "
            "is not comparable with networks trained on all official training images."
        )
    if "emnist" in training.dataset:
        yield "- Upper and lower case, 0 and O, 1 and I and L, 9 and q look alike in handwriting."


def _interval(metrics: Metrics) -> tuple[float, float]:
    return measure.wilson(
        sum(metrics.confusion[i][i] for i in range(len(metrics.confusion))), metrics.n
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---|" + "---:|" * (len(head) - 1)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _toml(recipe: dict[str, Any]) -> Iterator[str]:
    """Plain keys, then a table a section. What is None is left out: TOML knows no such value."""
    plain = {key: value for key, value in recipe.items() if not isinstance(value, dict)}
    yield from (f"{key} = {_value(v)}" for key, v in plain.items() if v is not None)
    for key, section in recipe.items():
        if isinstance(section, dict) and section:
            yield f"\n[{key}]"
            yield from (f"{k} = {_value(v)}" for k, v in section.items() if v is not None)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{k} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)
