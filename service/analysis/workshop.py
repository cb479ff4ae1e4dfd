"""The checkpoints that one process has at hand: its own copies, so that no hook and no gradient of
an analysis ever meets a classification."""

from collections import OrderedDict

from glyphscope.checkpoint import Checkpoint, load
from glyphscope.store import Ref, Store
from service.versions.resolver import Signature, signature


class Workshop:
    """Holds the ``most`` versions used last. Not for several threads at once."""

    def __init__(self, store: Store, device: str, most: int = 4) -> None:
        self.store = store
        self.device = device
        self._most = most
        self._held: OrderedDict[Ref, tuple[Signature, Checkpoint]] = OrderedDict()

    def checkpoint(self, name: str) -> Checkpoint:
        """ "mnist@1". Raises ``NotFound`` and ``BrokenCheckpoint``."""
        ref = self.store.resolve(name)
        mark = signature(self.store.path(ref) / "manifest.json")
        held = self._held.pop(ref, None)
        if held is None or held[0] != mark:
            held = mark, load(self.store.path(ref), self.device)
        self._held[ref] = held
        while len(self._held) > self._most:
            self._held.popitem(last=False)
        return held[1]
