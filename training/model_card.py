"""A manifest as a page for people: MODEL_CARD.md."""

from glyphscope.errors import Conflict
from glyphscope.manifest import Manifest, Metrics, Training


def model_card(manifest: Manifest) -> str:
    """Raises ``Conflict`` for a manifest without figures: only evaluated runs get a card."""
    metrics, training = manifest.metrics, manifest.training
    if metrics is None or training is None:
        raise Conflict(f"{manifest.ref} was not evaluated")
    shape = f"{manifest.input.height}x{manifest.input.width} pixels"
    lines = [
        f"# {manifest.ref}\n",
        f"A {manifest.network.name} network for {len(manifest.labels)} classes: "
        f"{', '.join(manifest.labels.names)}.",
        f"Input: {shape}, {manifest.input.channels} channel(s), {manifest.input.polarity}.\n",
        *_results(metrics),
        *_making(training),
        *_limits(metrics, training),
    ]
    return "\n".join(lines) + "\n"


def _results(metrics: Metrics) -> list[str]:
    worst = sorted(metrics.per_class.items(), key=lambda item: item[1])[:5]
    return [
        "## Results\n",
        "The test set was read once, at the end.\n",
        "| what | figure |",
        "|---|---|",
        f"| test accuracy ({metrics.split}, n = {metrics.n:,}) | {metrics.accuracy:.2%} |",
        f"| validation accuracy (choices were made on it) | {metrics.validation_accuracy:.2%} |",
        f"| expected calibration error after temperature, 15 bins | {metrics.ece:.2%} |",
        "\nThe classes with the lowest recall:\n",
        "| class | recall |",
        "|---|---|",
        *(f"| {name} | {recall:.2%} |" for name, recall in worst),
    ]


def _making(training: Training) -> list[str]:
    return [
        "\n## How it was made\n",
        f"Trained on {training.dataset}: {training.train_images:,} images, with "
        f"{training.validation_images:,} more held out for validation "
        f"(split seed {training.split_seed}).",
        f"{training.epochs} epochs, seed {training.seed}, on {training.device}, "
        f"{training.seconds:,.0f} s of training loop, PyTorch {training.torch_version}.",
        "The whole recipe is in manifest.json.",
    ]


def _limits(metrics: Metrics, training: Training) -> list[str]:
    lines = [
        "\n## Limits\n",
        "- It answers with one of its classes, whatever it is shown; `in_distribution` is a hint, "
        "no proof.",
    ]
    if metrics.split != training.dataset:
        lines.append(
            f"- It was trained on {training.dataset} and judged on {metrics.split}, so its figure "
            "is not comparable with networks trained on all official training images."
        )
    if "emnist" in training.dataset:
        lines.append(
            "- Upper and lower case, 0 and O, 1 and I and L, 9 and q look alike in handwriting."
        )
    return lines
