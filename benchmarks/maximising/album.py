"""Pictures that were drawn, kept in a folder: one file a part, so that a run can be taken up again.

A part whose method failed leaves its reason instead, and is tried again by the next run.
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.maximising.methods import REQUESTS, Draw
from benchmarks.maximising.plan import Part
from glyphscope.checkpoint import Checkpoint
from glyphscope.picture import Pixels
from glyphscope.visualise import MaximisationRequest
from glyphscope.visualise.request import METHOD, settings_of


@dataclass(frozen=True)
class Album:
    folder: Path
    seeds: tuple[int, ...]

    def draw(self, checkpoint: Checkpoint, part: Part, draw: Draw) -> str | None:
        """Unless it is there already. Why it cannot be drawn, or None."""
        path = self._path(checkpoint, part)
        if path.exists():
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        failed = path.with_suffix(".failed")
        began = _core_seconds()
        try:
            pictures = draw(checkpoint, part.layer, part.units, self.seeds)
        except Exception as error:  # noqa: BLE001 - a rival's fault is a line of the table
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            failed.write_text(reason)
            return reason
        seconds = _core_seconds() - began
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            np.savez_compressed(file, pictures=pictures, seconds=seconds)
        Path(file.name).rename(path)
        failed.unlink(missing_ok=True)
        return None

    def pictures(self, checkpoint: Checkpoint, part: Part) -> tuple[Pixels, float] | None:
        """uint8 (units, seeds, C, H, W) with the core seconds they took; None: not drawn."""
        path = self._path(checkpoint, part)
        if not path.exists():
            return None
        with np.load(path) as kept:
            return kept["pictures"], float(kept["seconds"])

    def failure(self, checkpoint: Checkpoint, parts: Sequence[Part]) -> str | None:
        """The first reason that one of these could not be drawn."""
        paths = (self._path(checkpoint, part).with_suffix(".failed") for part in parts)
        return next((path.read_text() for path in paths if path.exists()), None)

    def _path(self, checkpoint: Checkpoint, part: Part) -> Path:
        name, settings = part.method, _settings(part.method)
        what = (METHOD, checkpoint.manifest.digest, name, settings, part.layer, part.units)
        digest = hashlib.sha256(repr((*what, self.seeds)).encode()).hexdigest()[:24]
        return self.folder / "pictures" / f"{digest}.npz"


def _settings(method: str) -> str:
    if method not in REQUESTS:
        return ""
    request = MaximisationRequest.model_validate({"layer": "logits", **REQUESTS[method]})
    return settings_of(request).model_dump_json()


def _core_seconds() -> float:
    """Of this process and those it waited for: what others do on the machine does not count."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
