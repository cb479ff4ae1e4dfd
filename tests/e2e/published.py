"""A small version that carries a test set, for the views that show one."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from glyphscope import checkpoint
from glyphscope.catalogue import network_spec
from glyphscope.manifest import Manifest
from glyphscope.networks import build
from glyphscope.spec import InputSpec, LabelSet
from tests.service import testset

SPEC = network_spec("card-cnn", (1, 28, 28), 10, features=(4, 6), units=16)
INPUT = InputSpec(mean=(0.13,), std=(0.31,))

PATIENCE_MS = 240_000
"""A process starts for its first analysis, on a machine that may be busy with other things."""

_NOTHING: Mapping[str, bytes] = MappingProxyType({})


def write(
    folder: Path, version: int, seed: int = 0, files: Mapping[str, bytes] = _NOTHING
) -> Manifest:
    """``mnist``, drawn from ``seed``, with more ``files``."""
    manifest = Manifest(
        name="mnist",
        version=version,
        created="2026-01-01T00:00:00Z",
        network=SPEC,
        input=INPUT,
        labels=LabelSet(names=tuple("0123456789")),
    )
    known = testset.files(SPEC, seed, INPUT)
    return checkpoint.write(folder, manifest, build(SPEC, seed=seed), {**known, **files})
