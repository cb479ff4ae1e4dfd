"""What TensorBoard shows of a training: an observer that writes its event files.

    step/       loss and learning rate every few steps
    loss/  accuracy/  speed/            once an epoch, training and validation
    weights/  gradients/  activations/  histograms a layer, once an epoch
    first layer     its weights as a sheet of pictures: 0 is grey
    graph           the network as its description names it
    projector       validation images, placed by what the last layer but one answers

Look at it with ``tensorboard --logdir RUNS``.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from glyphscope import filters
from glyphscope.activations import activations
from glyphscope.errors import InvalidRecipe
from glyphscope.networks import Network
from glyphscope.visualise.pictures import grid
from training import data, tensorboard_graph
from training.observe import Observer, Step
from training.run import Epoch
from training.session import Session

STEPS_A_POINT = 20
LISTENED, PLACED, PICTURED = 256, 500, 64
"""Images for the histograms of activations and for the projector; filters on the sheet at most."""


def load(module: str = "torch.utils.tensorboard") -> Any:
    """PyTorch's writer, for which the package ``tensorboard`` must be there."""
    try:
        return importlib.import_module(module).SummaryWriter
    except ImportError:
        raise InvalidRecipe(
            "fit.tensorboard needs a package that is not installed: "
            "pip install 'glyphscope[tensorboard]'"
        ) from None


class TensorBoard(Observer):
    """``folder`` takes the event files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None

    def started(self, session: Session) -> None:
        steps = session.done * session.steps
        # Of a resumed run, what was written after the epoch that it goes on from is taken back.
        self._writer = load()(self.folder, purge_step=steps + 1 if session.done else None)
        if session.done:
            return
        tensorboard_graph.write(self._writer, session.network)
        recipe = json.dumps(session.recipe.model_dump(mode="json"), indent=1)
        self._writer.add_text("recipe", f"```json\n{recipe}\n```", 0)
        self._look_inside(session, 0)

    def stepped(self, session: Session, step: Step) -> None:
        if step.step % STEPS_A_POINT == 0 or step.step == step.steps:
            self._scalars(step.overall, {
                "step/loss": float(step.loss), "step/learning rate": step.learning_rate,
            })  # fmt: skip

    def epoch_ended(self, session: Session, record: Epoch) -> None:
        at = session.done * session.steps
        self._scalars(at, {
            "loss/training": record.train_loss,
            "loss/validation": record.validation_loss,
            "accuracy/training": record.train_accuracy,
            "accuracy/validation": record.validation_accuracy,
            "speed/images a second": session.steps * session.batch_size / max(record.seconds, 1e-3),
        })  # fmt: skip
        for name, parameter in session.network.named_parameters():
            if parameter.grad is not None:
                self._writer.add_histogram(f"gradients/{name}", parameter.grad, at)
        self._look_inside(session, at)

    def ended(self, session: Session) -> None:
        if self._writer is None:
            return
        if session.done and not session.outcome.startswith("failed"):
            self._place(session)
        self._writer.close()

    def _scalars(self, at: int, values: dict[str, float]) -> None:
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, at)

    def _look_inside(self, session: Session, at: int) -> None:
        network = session.candidate
        for name, parameter in network.named_parameters():
            self._writer.add_histogram(f"weights/{name}", parameter.detach(), at)
        images = session.inputs(session.job.validation.images[:LISTENED])
        for name, heard in _heard(network, images).items():
            self._writer.add_histogram(f"activations/{name}", heard, at)
        self._writer.add_image("first layer", first_layer(network), at)

    def _place(self, session: Session) -> None:
        part = session.job.validation.take(torch.arange(min(PLACED, len(session.job.validation))))
        heard = list(_heard(session.candidate, session.inputs(part.images)).values())
        names = data.source(session.recipe.dataset).labels
        self._writer.add_embedding(
            heard[-2 if len(heard) > 1 else -1].flatten(1).float().cpu(),
            metadata=[names[label] for label in part.labels.tolist()],
            label_img=part.images.cpu().float().div(255),
            global_step=session.done,
            tag="validation",
        )


def _heard(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Every layer's answer in eval mode, in the order they ran."""
    assert isinstance(network, Network)
    was_training = network.training
    network.eval()
    try:
        return activations(network, images, [layer.name for layer in network.layers])
    finally:
        network.train(was_training)


def first_layer(network: nn.Module) -> NDArray[np.uint8]:
    """The weights of the first units on one sheet, (channels, height, width)."""
    assert isinstance(network, Network)
    pictures = filters.first_layer(network, PICTURED)
    return grid(list(pictures), scale=max(1, 40 // pictures.shape[-1]))
