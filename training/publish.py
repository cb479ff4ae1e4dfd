"""A finished run -> the next version in a store, with everything that belongs to it."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors import torch as tensors

from glyphscope import checkpoint, examples
from glyphscope import manifest as m
from glyphscope.errors import Conflict
from glyphscope.manifest import Manifest, Training
from glyphscope.networks import Network
from glyphscope.preprocess import to_tensor
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Store, checked_name
from training import data, experiment, onnx_export
from training.data import Split
from training.evaluate import recorded
from training.model_card import model_card
from training.run import Run

PARITY_IMAGES = 256


def publish(run: Run, store: Store, root: Path, name: str | None, alias: str | None) -> Manifest:
    """Export, check parity, collect the examples of every unit, and show it all by one rename."""
    evaluation = recorded(run)
    if evaluation is None:
        raise Conflict(
            f"{run.folder} has not been evaluated; run `glyphscope-train evaluate` first"
        )
    recipe = run.recipe
    train, validation = experiment.splits(recipe, root)
    spec = experiment.input_spec(recipe, train)
    network = experiment.trained(run, spec)
    onnx = onnx_export.export(network)
    parity = _inputs(validation.take(torch.arange(min(PARITY_IMAGES, len(validation)))), spec)
    draft = Manifest(
        name=checked_name(name or recipe.publish or recipe.name),
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        network=network.spec,
        input=spec,
        labels=LabelSet(names=data.source(recipe.dataset).labels),
        metrics=evaluation.metrics,
        calibration=evaluation.calibration,
        training=_training(run, len(train), len(validation)),
        onnx=onnx_export.check(onnx, network, parity),
    )
    files = {
        m.ONNX: onnx,
        m.HISTORY: (run.folder / "history.json").read_bytes(),
        m.EXAMPLES: _examples(
            network, data.load(recipe.test or recipe.dataset, "test", root), spec
        ),
    }

    def write(folder: Path, version: int) -> Manifest:
        manifest = draft.model_copy(update={"version": version})
        card = {m.MODEL_CARD: model_card(manifest).encode()}
        return checkpoint.write(folder, manifest, network, {**files, **card})

    return store.publish(draft.name, write, alias)


def _training(run: Run, train: int, validation: int) -> Training:
    recipe, history = run.recipe, run.history()
    return Training(
        recipe=recipe.model_dump(mode="json"),
        seed=recipe.seed,
        dataset=recipe.dataset,
        train_images=train,
        validation_images=validation,
        split_seed=recipe.split.seed,
        epochs=len(history),
        device=run.device,
        seconds=round(sum(epoch.seconds for epoch in history), 1),
        git_commit=_git_commit(),
        torch_version=torch.__version__,
    )


def _git_commit() -> str | None:
    """The commit of the code that publishes, where it is a checkout."""
    here = Path(__file__).parent
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def _examples(network: Network, test: Split, spec: InputSpec) -> bytes:
    """The test images that drive each unit most, of every layer."""
    layers = [layer.name for layer in network.layers if layer.kind not in ("dropout", "flatten")]
    batches = (_inputs(Split(part, part), spec) for part in test.images.split(500))
    return tensors.save(examples.collect(network, batches, layers))


def _inputs(split: Split, spec: InputSpec) -> torch.Tensor:
    return to_tensor(split.images.numpy(), spec)
