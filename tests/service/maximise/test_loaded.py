"""What a worker keeps at hand: the same folder is read once, a changed one again."""

from collections.abc import Callable
from typing import Any

from glyphscope.store import Ref, Store
from service.maximise.loaded import Loaded


def test_what_was_read_is_kept(store: Store, publish: Callable[..., Any]) -> None:
    publish()
    loaded = Loaded(store, "cpu")
    assert loaded.get(Ref("mnist", 1)) is loaded.get(Ref("mnist", 1))


def test_the_same_network_published_again_with_more_beside_it_is_read_again(
    store: Store, publish: Callable[..., Any]
) -> None:
    bare, full = publish(files={}), publish()
    assert bare.digest == full.digest
    loaded = Loaded(store, "cpu")
    assert not loaded.get(Ref("mnist", 1)).statistics.layers
    assert loaded.get(Ref("mnist", 2)).statistics.layers
