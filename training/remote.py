"""A store over there: whatever fsspec reaches, laid out as a store here is.

A version exists once its manifest.json does, which is sent last. Where there are folders a file
appears by a rename, and in buckets all at once.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import fsspec

from glyphscope.errors import BrokenCheckpoint, GlyphscopeError, InvalidInput, NotFound
from glyphscope.manifest import NAME_PATTERN, sha256
from glyphscope.store import PRODUCTION, Ref, checked_name
from training.failure import Failure

MANIFEST = "manifest.json"

PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub",
    "az": "adlfs", "abfs": "adlfs", "sftp": "paramiko", "ssh": "paramiko", "smb": "smbprotocol",
    "oss": "ossfs", "oci": "ocifs", "webdav": "webdav4", "http": "aiohttp", "https": "aiohttp",
}  # fmt: skip
"""URL scheme -> the package that fsspec needs for it."""

_BUCKETS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "oss", "oci", "hf", "memory"}
"""Without folders: there, making one could make a bucket out of a mistyped name."""


class TransferFailed(Failure):
    code = "transfer-failed"
    title = "The transfer failed"


@dataclass(frozen=True)
class Remote:
    """A store over there: ``files`` is a file system of fsspec, ``root`` the store's path in it."""

    files: Any
    root: str

    @classmethod
    def at(cls, url: str) -> "Remote":
        scheme = url.partition("://")[0] if "://" in url else "file"
        try:
            files, root = fsspec.url_to_fs(url)
        except ImportError as error:
            package = PACKAGES.get(scheme)
            how = f"install it with: pip install {package}" if package else str(error)
            raise InvalidInput(f"{scheme}:// needs a package that is not here; {how}") from None
        except ValueError:
            known = ", ".join(f"{name}://" for name in ("file", "memory", "s3", "gs", "hf"))
            raise InvalidInput(
                f"{url!r} cannot be reached: {scheme}:// is unknown; known: a path, {known} and "
                "whatever else fsspec knows"
            ) from None
        files.invalidate_cache()
        return cls(files, root.rstrip("/"))

    def names(self) -> list[str]:
        return sorted(name for name in self._list("") if re.match(NAME_PATTERN, name))

    def versions(self, name: str) -> list[int]:
        """Those that are complete, rising."""
        found = [int(v) for v in self._list(name) if re.fullmatch(r"[1-9][0-9]{0,8}", v)]
        return sorted(v for v in found if self.files.exists(self._path(Ref(name, v), MANIFEST)))

    def aliases(self, name: str) -> dict[str, int]:
        path = f"{self.root}/{name}/aliases.json"
        if not self.files.exists(path):
            return {}
        try:
            found = json.loads(self.files.cat_file(path))
            return {str(alias): int(version) for alias, version in found.items()}
        except (ValueError, AttributeError, TypeError):
            raise BrokenCheckpoint(f"{path} must map names to version numbers") from None

    def resolve(self, name: str) -> Ref:
        """ "mnist", "mnist@2" or "mnist@alias", as a store here does it."""
        model, at, rest = name.partition("@")
        versions = self.versions(checked_name(model))
        if not versions:
            raise NotFound("model over there", model, self.names())
        if rest.isascii() and rest.isdecimal():
            version = int(rest)
        else:
            version = self.aliases(model).get(rest if at else PRODUCTION, 0)
        if version not in versions:
            known = [*versions, *(a for a, v in self.aliases(model).items() if v in versions)]
            wanted = rest if at else PRODUCTION
            raise NotFound(f"version or alias of {model} over there", wanted, known)
        return Ref(model, version)

    def manifest(self, ref: Ref) -> bytes | None:
        path = self._path(ref, MANIFEST)
        return bytes(self.files.cat_file(path)) if self.files.exists(path) else None

    def holds(self, ref: Ref, file: str, expected: str) -> bool:
        path = self._path(ref, file)
        return self.files.exists(path) and sha256(self.files.cat_file(path)) == expected

    def send(self, ref: Ref, file: str, data: bytes) -> None:
        """Write, read back, compare: what arrived is what was sent."""
        path = self._path(ref, file)
        self._write(path, data)
        if sha256(self.files.cat_file(path)) != sha256(data):
            raise TransferFailed(f"{path} did not arrive as it was sent; push again")

    def send_manifest(self, ref: Ref, data: bytes) -> None:
        self._write(self._path(ref, MANIFEST), data)

    def point(self, ref: Ref, alias: str) -> None:
        aliases = {**self.aliases(ref.name), alias: ref.version}
        data = (json.dumps(aliases, indent=1, sort_keys=True) + "\n").encode()
        self._write(f"{self.root}/{ref.name}/aliases.json", data)

    def fetch(self, ref: Ref, file: str) -> bytes:
        return bytes(self.files.cat_file(self._path(ref, file)))

    def _write(self, path: str, data: bytes) -> None:
        """Whole or not at all: buckets do so by themselves, folders by a rename."""
        if _scheme(self.files) in _BUCKETS:
            self.files.pipe_file(path, data)
            return
        self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
        self.files.pipe_file(path + ".part", data)
        self.files.mv(path + ".part", path)

    def _path(self, ref: Ref, file: str) -> str:
        return f"{self.root}/{ref.name}/{ref.version}/{file}"

    def _list(self, folder: str) -> list[str]:
        try:
            found = self.files.ls(f"{self.root}/{folder}".rstrip("/") or "/", detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [str(path).rstrip("/").rpartition("/")[2] for path in found]


def _scheme(files: Any) -> str:
    protocol = files.protocol
    return str(protocol if isinstance(protocol, str) else protocol[0])


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Every file system has errors of its own, such as those of a login that failed."""
    try:
        yield
    except GlyphscopeError:
        raise
    except Exception as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = " ".join(said.split()) or type(error).__name__
        raise TransferFailed(f"{url}: {reason}") from error
