"""What is asked for -> the order of a job, whose id is the digest of all that matters."""

from typing import TYPE_CHECKING

from glyphscope.errors import NotFound
from glyphscope.visualise import MaximisationRequest, digest, resolve
from service.maximise.jobs import Order

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint

_MOST_KNOWN = 1024


class Orders:
    """Remembers the last ones: a digest costs ten milliseconds, most of an answer from the cache.

    Safe between threads: two that ask at once both compute the same.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, str, MaximisationRequest], Order] = {}

    def order(self, checkpoint: "Checkpoint", asked: MaximisationRequest) -> Order:
        manifest = checkpoint.manifest
        key = manifest.name, manifest.version, manifest.digest, asked
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[key] = _order(checkpoint, asked)
        return found


def _order(checkpoint: "Checkpoint", asked: MaximisationRequest) -> Order:
    manifest = checkpoint.manifest
    request = resolve(checkpoint.network, asked)
    if asked.epoch is not None and asked.epoch not in checkpoint.snapshots:
        raise NotFound(f"epoch of {manifest.ref}", asked.epoch, list(checkpoint.snapshots))
    return Order(
        id=digest(manifest, request),
        model=manifest.name,
        version=manifest.version,
        digest=manifest.digest,
        request=request,
    )
