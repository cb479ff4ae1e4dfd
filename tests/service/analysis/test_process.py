"""The real process: it starts, finds its store, works, and reports what went wrong."""

from typing import Any

import numpy as np
import orjson
import pytest

from glyphscope.attribution import attribute
from glyphscope.checkpoint import load
from glyphscope.errors import NotFound
from glyphscope.manifest import Manifest
from glyphscope.store import Store
from service.analysis.hands import Child
from service.analysis.job import Job
from service.settings import Settings

Digit = np.ndarray[Any, np.dtype[np.uint8]]

# It imports PyTorch first, on a machine that may be busy with other things.
PATIENCE = 240.0


@pytest.mark.slow
def test_a_process_works_on_the_servers_store(
    settings: Settings, store: Store, manifest: Manifest, digit: Digit
) -> None:
    child = Child(settings.environment())
    options = {"method": "saliency", "target": 3, "format": "json", "input": False, "settings": {}}
    try:
        job = Job("attributions", (manifest.ref,), options, digit[None, None])
        found = orjson.loads(child.run(job, PATIENCE).body)
        expected = attribute(load(store.root / "mnist/1"), digit[None, None], "saliency", 3)
        np.testing.assert_allclose(found["attributions"][0]["map"], expected.heat[0], atol=1e-5)
        with pytest.raises(NotFound, match="unknown model 'none'; known: mnist"):
            child.run(Job("attributions", ("none",), options, digit[None, None]), PATIENCE)
        with pytest.raises(RuntimeError, match="KeyError"):
            child.run(Job("attributions", (manifest.ref,), {}, digit[None, None]), PATIENCE)
    finally:
        child.close()
