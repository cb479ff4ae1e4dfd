"""The checkpoints that a worker has drawn from last: the next job often wants the same."""

from collections import OrderedDict

from glyphscope.checkpoint import Checkpoint, load
from glyphscope.folder import read_manifest
from glyphscope.store import Ref, Store

_KEPT = 2


class Loaded:
    def __init__(self, store: Store, device: str) -> None:
        self.store = store
        self.device = device
        self._kept: OrderedDict[bytes, Checkpoint] = OrderedDict()

    def get(self, ref: Ref) -> Checkpoint:
        """Found by what the folder says that it is now, a millisecond, instead of read and hashed
        again, fifty. Raises as ``checkpoint.load``."""
        folder = self.store.path(ref)
        # All of the manifest: the same network may have been published anew with more beside it.
        now = read_manifest(folder).to_json()
        found = self._kept.pop(now, None) or load(folder, self.device)
        self._kept[now] = found
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found
