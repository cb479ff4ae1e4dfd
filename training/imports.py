"""Weights that were trained elsewhere -> a version in the store, served like any other.

What is read is torchvision's state dict of a ResNet, from safetensors or from ``torch.save``'s file
with ``weights_only``, so that nobody's code runs. Every key must be there, none may be left over.
"""

import json
import pickle
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as tensors
from torch import Tensor

from glyphscope import checkpoint
from glyphscope import manifest as m
from glyphscope.catalogue import network_spec
from glyphscope.errors import InvalidInput, NotFound
from glyphscope.manifest import Manifest, Origin, sha256
from glyphscope.networks import Network, build
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Store, checked_name
from training import vision

ARCHITECTURES = ("resnet18", "resnet34", "resnet50")
"""Networks of the catalogue that are torchvision's, layer for layer."""

# Ours -> torchvision's, one after the other.
_NAMES = (
    (r"^logits\.", "fc."),
    (r"^block(\d+)_(\d+)\.", lambda found: f"layer{found[1]}.{int(found[2]) - 1}."),
    (r"\bshortcut\.conv\.", "downsample.0."),
    (r"\bshortcut\.norm\.", "downsample.1."),
    (r"\bnorm(\d+)\.", r"bn\1."),
)

_SHOWN = 3


@dataclass(frozen=True)
class Import:
    """What a file of weights does not say of itself."""

    architecture: str
    labels: tuple[str, ...]
    input: InputSpec


def publish(path: Path, what: Import, store: Store, name: str, alias: str | None) -> Manifest:
    """The next version of ``name``. No figure is claimed: none was measured here."""
    network = load(path, what)
    draft = Manifest(
        name=checked_name(name),
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        network=network.spec,
        input=what.input,
        labels=LabelSet(names=what.labels),
        origin=Origin(
            architecture=what.architecture, file=path.name, sha256=sha256(path.read_bytes())
        ),
    )

    def write(folder: Path, version: int) -> Manifest:
        manifest = draft.model_copy(update={"version": version})
        return checkpoint.write(folder, manifest, network, {m.MODEL_CARD: _card(manifest)})

    return store.publish(draft.name, write, alias)


def load(path: Path, what: Import) -> Network:
    """The network with the file's weights, in eval mode on the CPU."""
    if what.architecture not in ARCHITECTURES:
        raise NotFound("architecture to import", what.architecture, ARCHITECTURES)
    state = read_state(path)
    classes = len(state.get("fc.bias", ()))
    if classes not in (0, len(what.labels)):
        raise InvalidInput(f"{path} has {classes} classes, the labels name {len(what.labels)}")
    spec = network_spec(what.architecture, what.input.shape, len(what.labels))
    with torch.device("meta"):
        network = build(spec)
    network.load_state_dict(_fitted(state, network, path), assign=True)
    return network.eval().requires_grad_(False)


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by torchvision's names; "module." of a parallel training is taken off."""
    if not path.is_file():
        raise InvalidInput(f"{path} is not there")
    if path.suffix not in _READERS:
        raise InvalidInput(f"{path}: the name must end in {', '.join(_READERS)}")
    found = _READERS[path.suffix](path)
    for wrapper in ("state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise InvalidInput(f"{path} holds no state dict: tensors by name are what can be imported")
    return {str(key).removeprefix("module."): value for key, value in found.items()}


def read_labels(name: str) -> tuple[str, ...]:
    """ "imagenet", or a file: a name a line, or JSON (a list, or an object by class number)."""
    if name == "imagenet":
        weights = vision.module("models").ResNet50_Weights.IMAGENET1K_V1
        return tuple(weights.meta["categories"])
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
        found = _json_labels(json.loads(text)) if path.suffix == ".json" else text.splitlines()
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}; labels are a file or imagenet") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} gives no class names: {error!r}") from None
    names = [line.strip() for line in found if line.strip()]
    twice = [label for label, n in Counter(names).items() if n > 1]
    if twice or not names:
        raise InvalidInput(f"{path} names {'no classes' if not names else f'{twice[0]!r} twice'}")
    return tuple(names)


def _json_labels(found: Any) -> list[str]:
    """Also {"0": ["n01440764", "tench"], ...}, as imagenet_class_index.json has it."""
    if isinstance(found, dict):
        found = [found[str(i)] for i in range(len(found))]
    return [str(each[-1]) if isinstance(each, list) else str(each) for each in found]


def _safetensors(path: Path) -> object:
    try:
        return tensors.load(path.read_bytes())
    except SafetensorError as error:
        raise InvalidInput(f"{path} is no safetensors file: {error}") from None


def _saved(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InvalidInput(
            f"{path} is broken, or holds more than tensors, so that reading it could run its code; "
            "save it with torch.save(model.state_dict(), ...) or as safetensors"
        ) from None
    except (RuntimeError, EOFError, ValueError) as error:
        reason = (str(error).splitlines() or ["it ends too early"])[0]
        raise InvalidInput(f"{path} cannot be read: {reason}") from None


_READERS = {".safetensors": _safetensors, ".pth": _saved, ".pt": _saved}


def _fitted(state: dict[str, Tensor], network: Network, path: Path) -> dict[str, Tensor]:
    """The state by our names, in float32. Raises ``InvalidInput`` with what does not fit."""
    expected = network.state_dict()
    theirs = {key: _theirs(key) for key in expected}
    # Files older than batch norm's counter lack it; nothing is computed from it.
    counters = {key for key in expected if key.endswith(".num_batches_tracked")}
    missing = [name for key, name in theirs.items() if name not in state and key not in counters]
    unexpected = sorted(set(state) - set(theirs.values()))
    wrong = [
        f"{name} {tuple(state[name].shape)}, not {tuple(expected[key].shape)}"
        for key, name in theirs.items()
        if name in state and state[name].shape != expected[key].shape
    ]
    for kind, names in (("lacks", missing), ("has unknown", unexpected), ("is misshapen:", wrong)):
        if names:
            raise InvalidInput(f"{path} is no {network.spec.name}: it {kind} {_some(names)}")
    kept = {key: state.get(name, torch.tensor(0)) for key, name in theirs.items()}
    found = {key: v if key in counters else v.float() for key, v in kept.items()}
    bad = [theirs[key] for key, value in found.items() if not torch.isfinite(value).all()]
    if bad:
        raise InvalidInput(f"{path} holds values that are no numbers: {_some(bad)}")
    return found


def _theirs(key: str) -> str:
    for pattern, name in _NAMES:
        key = re.sub(pattern, name, key)
    return key


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _card(manifest: Manifest) -> bytes:
    origin, shape = manifest.origin, manifest.input
    assert origin is not None
    lines = [
        f"# {manifest.ref}\n",
        f"A {origin.architecture} for {len(manifest.labels)} classes, imported from "
        f"`{origin.file}` (SHA-256 `{origin.sha256}`).",
        f"Input: {shape.height}x{shape.width} pixels in colour, preprocessing "
        f"{shape.preprocessing}, mean {shape.mean}, standard deviation {shape.std}.\n",
        "## Limits\n",
        "- It was neither trained nor judged here: no accuracy and no calibration is claimed.",
        "- It answers with one of its classes, whatever it is shown.",
    ]
    return ("\n".join(lines) + "\n").encode()
