"""A finished run -> the next version in a store, with everything that belongs to it."""

import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors import torch as tensors

from glyphscope import checkpoint, snapshots
from glyphscope import manifest as m
from glyphscope.errors import Conflict
from glyphscope.manifest import Manifest, Training
from glyphscope.networks import Network
from glyphscope.preprocess import to_tensor
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Store, checked_name
from glyphscope.survey import Progress
from training import data, experiment, onnx_export, priors, test_files
from training.data import Split
from training.datasets.own import own
from training.evaluate import Evaluation, recorded
from training.model_card import model_card
from training.run import Run

PARITY_IMAGES = 256


def publish(
    run: Run,
    store: Store,
    root: Path,
    name: str | None,
    alias: str | None,
    progress: Progress = lambda done, images: None,
) -> Manifest:
    """Export, check parity, survey the test set, and show it all by one rename.

    ``progress``: test images that were surveyed, and of how many.
    """
    evaluation = recorded(run)
    if evaluation is None:
        raise Conflict(
            f"{run.folder} has not been evaluated; run `glyphscope-train evaluate` first"
        )
    recipe = run.recipe
    checked_name(name or recipe.publish or recipe.name)
    train, validation = experiment.splits(recipe, root)
    spec = experiment.input_spec(recipe, train)
    network = experiment.trained(run, spec)
    draft = _draft(run, evaluation, network, spec, (len(train), len(validation)), name)
    test = data.load(recipe.test or recipe.dataset, "test", root)
    files = {
        m.HISTORY: (run.folder / "history.json").read_bytes(),
        **_tensors(m.SNAPSHOTS, snapshots.pack(run.snapshots())),
        **prior_of(recipe.dataset, train, len(draft.labels)),
    }
    return show(store, draft, network, validation, test, files, alias, progress)


def show(
    store: Store,
    draft: Manifest,
    network: Network,
    validation: Split,
    test: Split,
    files: Mapping[str, bytes],
    alias: str | None,
    progress: Progress,
) -> Manifest:
    """``draft`` is all but the version, which the store gives, and what is known of model.onnx.
    ``files``: what is of the training and not of the test set."""
    spec = draft.input
    known = onnx_export.properties(spec, draft.labels.names, draft.calibration.temperature)
    onnx = onnx_export.export(network, properties=known)
    parity = validation.take(torch.arange(min(PARITY_IMAGES, len(validation))))
    draft = draft.model_copy(
        update={"onnx": onnx_export.check(onnx, network, _inputs(parity, spec))}
    )
    files = {
        **files,
        m.ONNX: onnx,
        **test_files.collect(network, spec, test, draft.calibration, progress),
    }

    def write(folder: Path, version: int) -> Manifest:
        manifest = draft.model_copy(update={"version": version})
        card = {m.MODEL_CARD: model_card(manifest, network).encode()}
        return checkpoint.write(folder, manifest, network, {**files, **card})

    return store.publish(draft.name, write, alias)


def prior_of(dataset: str, train: Split, classes: int) -> dict[str, bytes]:
    """What pictures of its units begin at, where the library has none for this data set."""
    return _tensors(m.PRIOR, priors.own(dataset, train.images, classes))


def _tensors(name: str, found: dict[str, torch.Tensor]) -> dict[str, bytes]:
    """A file, or none where there is nothing to write."""
    return {name: tensors.save(found)} if found else {}


def _draft(
    run: Run,
    evaluation: Evaluation,
    network: Network,
    spec: InputSpec,
    images: tuple[int, int],
    name: str | None,
) -> Manifest:
    recipe = run.recipe
    split = public_name(evaluation.metrics.split)
    return Manifest(
        name=name or recipe.publish or recipe.name,
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        network=network.spec,
        input=spec,
        labels=LabelSet(names=data.source(recipe.dataset).labels),
        metrics=evaluation.metrics.model_copy(update={"split": split}),
        calibration=evaluation.calibration,
        training=_training(run, *images),
    )


def _training(run: Run, train: int, validation: int) -> Training:
    recipe, history = run.recipe, run.history()
    public = {
        "dataset": public_name(recipe.dataset),
        "test": recipe.test and public_name(recipe.test),
    }
    return Training(
        recipe={**recipe.model_dump(mode="json"), **public},
        seed=recipe.seed,
        dataset=public_name(recipe.dataset),
        train_images=train,
        validation_images=validation,
        split_seed=recipe.split.seed,
        epochs=len(history),
        device=run.device,
        seconds=round(sum(epoch.seconds for epoch in history), 1),
        git_commit=_git_commit(),
        torch_version=torch.__version__,
    )


def public_name(dataset: str) -> str:
    """Of the user's own data only the last part of the path: the rest is nobody's business."""
    mine = own(dataset)
    if mine is None:
        return dataset
    _, *settings = re.split(r",(?=[A-Za-z_]+=)", dataset)
    return ",".join([f"{mine.kind}:{mine.path.resolve().name}", *settings])


def _git_commit() -> str | None:
    """The commit of the code that publishes, where it is a checkout."""
    here = Path(__file__).parent
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def _inputs(split: Split, spec: InputSpec) -> torch.Tensor:
    return to_tensor(split.images.numpy(), spec)
