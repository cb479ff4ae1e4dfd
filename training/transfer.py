"""Checkpoints between a store here and one anywhere that fsspec reaches.

    push(store, "mnist@2", "s3://bucket/models")        mnist/2/... under that address
    pull("hf://user/repo/mnist@2", store)               and back

Every file is compared with its hash after it has travelled. A version appears whole, over there by
its manifest, which is sent last, here by one rename; and it never changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glyphscope import checkpoint
from glyphscope.errors import BrokenCheckpoint, Conflict, InvalidInput
from glyphscope.folder import read_manifest, verify
from glyphscope.manifest import Manifest, parse_manifest
from glyphscope.store import Ref, Store, checked_alias
from training.remote import MANIFEST, Remote, reaching


@dataclass(frozen=True)
class Moved:
    """``new`` is False where the same version was there already."""

    ref: Ref
    where: str
    new: bool
    size: int


def push(store: Store, name: str, url: str, alias: str | None = None) -> Moved:
    """Raises ``Conflict`` where another checkpoint has this name and version over there."""
    ref = store.resolve(name)
    folder, there = store.path(ref), Remote.at(url)
    manifest = read_manifest(folder)
    verify(folder, manifest)
    if alias is not None:
        checked_alias(alias)
    described = (folder / MANIFEST).read_bytes()
    with reaching(url):
        before = there.manifest(ref)
        if before not in (None, described):
            raise Conflict(f"{url} has another {ref}; versions never change, so publish a new one")
        for file, expected in manifest.files.items():
            if before is None or not there.holds(ref, file, expected):
                there.send(ref, file, (folder / file).read_bytes())
        if before is None:
            there.send_manifest(ref, described)
        if alias is not None:
            there.point(ref, alias)
    where = f"{url.rstrip('/')}/{ref.name}/{ref.version}"
    return Moved(ref, where, before is None, _size(folder, manifest))


def pull(url: str, store: Store, alias: str | None = None) -> Moved:
    """``url`` ends in /MODEL, /MODEL@VERSION or /MODEL@ALIAS. Raises ``Conflict`` where another
    checkpoint has this name and version here, ``BrokenCheckpoint`` where a hash does not fit."""
    address, name = _parts(url)
    there = Remote.at(address)
    if alias is not None:
        checked_alias(alias)
    with reaching(url):
        ref = there.resolve(name)
        described = there.manifest(ref) or b""
        manifest = parse_manifest(described, f"{address}/{ref.name}/{ref.version}")
        if (manifest.name, manifest.version) != (ref.name, ref.version):
            raise BrokenCheckpoint(f"{url} says of itself that it is {manifest.ref}, not {ref}")
        new = not (store.path(ref) / MANIFEST).exists()
        if new:
            store.adopt(ref.name, ref.version, _writer(there, manifest, described))
    here = store.path(ref)
    if (here / MANIFEST).read_bytes() != described:
        raise Conflict(f"{store.root} has another {ref}; pull it into a store of its own")
    if not new:
        verify(here, manifest)
    if alias is not None:
        store.set_alias(ref.name, alias, ref.version)
    return Moved(ref, str(here), new, _size(here, manifest))


def _parts(url: str) -> tuple[str, str]:
    address, _, name = url.rstrip("/").rpartition("/")
    if not address or address.endswith(":/") or not name:
        raise InvalidInput(f"pull takes URL/MODEL, such as s3://bucket/models/mnist, not {url!r}")
    return address, name


def _writer(there: Remote, manifest: Manifest, described: bytes) -> Callable[[Path, int], Manifest]:
    def write(folder: Path, version: int) -> Manifest:
        ref = Ref(manifest.name, version)
        for file in manifest.files:
            (folder / file).write_bytes(there.fetch(ref, file))
        (folder / MANIFEST).write_bytes(described)
        # Verifies the hashes, and refuses a network that could not be built later.
        return checkpoint.load(folder).manifest

    return write


def _size(folder: Path, manifest: Manifest) -> int:
    return sum((folder / file).stat().st_size for file in manifest.files)
