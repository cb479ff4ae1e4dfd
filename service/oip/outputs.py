"""The output tensors that every model has; a request may ask for some of them.

    OUTPUTS: dict[name, Output]

``label`` and ``index`` are the most probable class, ``confidence`` its calibrated probability.
``energy`` is higher for stranger images; ``in_distribution`` is there where the checkpoint has a
threshold for it. Each has the batch as its first axis.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphscope.errors import InvalidInput
from glyphscope.manifest import Manifest
from service.inference.scores import Logits, energy, probabilities
from service.oip.message import Asked, Message
from service.oip.tensors import Tensor

Values = NDArray[Any] | Sequence[bytes]


@dataclass(frozen=True)
class Output:
    datatype: str
    values: Callable[[Logits, Manifest], Values]
    classes: bool = False
    """One number a class, so that Triton's classification extension can rank them."""

    def shape(self, manifest: Manifest) -> tuple[int, int]:
        """-1 for the batch."""
        return -1, len(manifest.labels) if self.classes else 1


def declared(manifest: Manifest) -> dict[str, Output]:
    """The outputs of this model."""
    known = manifest.calibration.energy_threshold is not None
    return {name: each for name, each in OUTPUTS.items() if known or name != "in_distribution"}


def chosen(message: Message, manifest: Manifest) -> list[Asked]:
    """What was asked for, or all there is. Raises ``InvalidInput`` before any work is done."""
    known = declared(manifest)
    if not message.outputs:
        return [Asked(name=name) for name in known]
    for asked in message.outputs:
        if asked.name not in known:
            raise InvalidInput(
                f"unexpected output {asked.name!r} of model {manifest.name!r}; "
                f"known: {', '.join(known)}"
            )
        if asked.parameters.classification and not known[asked.name].classes:
            ranked = ", ".join(name for name, each in known.items() if each.classes)
            raise InvalidInput(
                f"output {asked.name!r} cannot be ranked by classification; known: {ranked}"
            )
    return message.outputs


def tensors(logits: Logits, manifest: Manifest, asked: Sequence[Asked]) -> list[Tensor]:
    return [_tensor(logits, manifest, each) for each in asked]


def _tensor(logits: Logits, manifest: Manifest, asked: Asked) -> Tensor:
    output = OUTPUTS[asked.name]
    values = output.values(logits, manifest)
    if asked.parameters.classification:
        return _ranked(asked, np.asarray(values), manifest.labels.names)
    shape = (len(logits), output.shape(manifest)[1])
    return Tensor(asked.name, output.datatype, shape, values)


def _ranked(asked: Asked, values: NDArray[Any], labels: Sequence[str]) -> Tensor:
    """Triton's classification extension: "value:index:label" of the k highest, falling."""
    count = min(asked.parameters.classification, len(labels))
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    highest = np.take_along_axis(values, order, axis=1)
    pairs = zip(highest.ravel().tolist(), order.ravel().tolist(), strict=True)
    found = [f"{value:f}:{index}:{labels[index]}".encode() for value, index in pairs]
    return Tensor(asked.name, "BYTES", (len(values), count), found)


def _logits(logits: Logits, manifest: Manifest) -> Values:
    return logits


def _probabilities(logits: Logits, manifest: Manifest) -> Values:
    return np.asarray(probabilities(logits, manifest.calibration), np.float32)


def _index(logits: Logits, manifest: Manifest) -> Values:
    return np.asarray(logits.argmax(axis=1), np.int64)


def _label(logits: Logits, manifest: Manifest) -> Values:
    names = [name.encode() for name in manifest.labels.names]
    return [names[index] for index in logits.argmax(axis=1).tolist()]


def _confidence(logits: Logits, manifest: Manifest) -> Values:
    return np.asarray(probabilities(logits, manifest.calibration).max(axis=1), np.float32)


def _energy(logits: Logits, manifest: Manifest) -> Values:
    return np.asarray(energy(logits), np.float32)


def _in_distribution(logits: Logits, manifest: Manifest) -> Values:
    return np.asarray(energy(logits) <= (manifest.calibration.energy_threshold or 0.0))


OUTPUTS: dict[str, Output] = {
    "logits": Output("FP32", _logits, classes=True),
    "probabilities": Output("FP32", _probabilities, classes=True),
    "label": Output("BYTES", _label),
    "index": Output("INT64", _index),
    "confidence": Output("FP32", _confidence),
    "energy": Output("FP32", _energy),
    "in_distribution": Output("BOOL", _in_distribution),
}
