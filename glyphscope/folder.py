"""A checkpoint's folder: its manifest read, its files verified. No network is built here.

read_manifest(folder)      ->  Manifest
verify(folder, manifest)   ->  the weights' bytes, once every file is as it was published
"""

from pathlib import Path

from glyphscope import manifest as m
from glyphscope.errors import BrokenCheckpoint
from glyphscope.manifest import Manifest, parse_manifest, sha256


def read_manifest(folder: Path) -> Manifest:
    where = f"{folder.parent.name}@{folder.name}"
    try:
        data = (folder / "manifest.json").read_bytes()
    except OSError as error:
        raise BrokenCheckpoint(f"{where}: manifest.json cannot be read: {error.strerror}") from None
    return parse_manifest(data, where)


def verify(folder: Path, manifest: Manifest) -> bytes:
    """Compare every file with its SHA-256; returns the weights' bytes, read once."""
    weights = b""
    for name, expected in manifest.files.items():
        try:
            data = (folder / name).read_bytes()
        except OSError as error:
            raise BrokenCheckpoint(f"{manifest.ref}: {name}: {error.strerror}") from None
        if sha256(data) != expected:
            raise BrokenCheckpoint(f"{manifest.ref}: {name} is not the file that was published")
        if name == m.WEIGHTS:
            weights = data
    if not weights:
        raise BrokenCheckpoint(f"{manifest.ref}: the manifest lists no {m.WEIGHTS}")
    return weights
