"""The chart of a patient as TensorBoard events: what a careful student would have logged.

loss, learning_rate, held_out/loss, held_out/accuracy     a scalar a step
gradient/LAYER, update/LAYER                              norms; update is a share of the weight
activation/LAYER                                          histograms
"""

from pathlib import Path

from training import tensorboard
from training.doctor.figures import update_ratios
from training.doctor.record import Record


def write(record: Record, folder: Path) -> None:
    """Raises ``InvalidRecipe``, saying what to install, where TensorBoard is not there."""
    with tensorboard.load()(str(folder)) as writer:
        for number, step in enumerate(record.steps, 1):
            writer.add_scalar("loss", step.loss, number)
            writer.add_scalar("learning_rate", step.rate, number)
            for name, norm in step.gradients.items():
                writer.add_scalar(f"gradient/{name}", norm, number)
            for name, ratio in update_ratios(step).items():
                writer.add_scalar(f"update/{name}", ratio, number)
        for held in record.held_out:
            writer.add_scalar("held_out/loss", held.loss, held.step)
            writer.add_scalar("held_out/accuracy", held.accuracy, held.step)
        for layer in record.layers.values():
            for heard in [layer.first, *layer.late]:
                writer.add_histogram(f"activation/{layer.name}", heard.values, heard.step)
