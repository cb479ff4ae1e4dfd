"""The same question is the same order, computed once."""

from collections.abc import Callable
from typing import Any

import pytest

from glyphscope.checkpoint import load
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest, digest
from service.maximise import orders
from service.maximise.orders import Orders


def test_named_by_the_digest_and_remembered(
    publish: Callable[..., Any], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    publish(seed=1)
    first, second = (load(store.root / "mnist" / version) for version in ("1", "2"))
    asked = MaximisationRequest(layer="conv1", units=(3, 0))
    known = Orders()
    found = known.order(first, asked)
    assert found.id == digest(first.manifest, asked)
    assert (found.model, found.version, found.request.units) == ("mnist", 1, (3, 0))
    assert known.order(second, asked).id != found.id
    monkeypatch.setattr(orders, "digest", None)
    assert known.order(first, MaximisationRequest(layer="conv1", units=(3, 0))) is found
