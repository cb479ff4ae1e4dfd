"""A published version -> the next one: the same network with all that is recorded today.

What a version carries beside its weights grows with Glyphscope, and a version never changes. The
network, its metrics and its calibration stay as they were; pictures of its units stay in the cache,
since they are named by the network and not by the version.
"""

from datetime import UTC, datetime
from pathlib import Path

from glyphscope import checkpoint
from glyphscope import manifest as m
from glyphscope.errors import Conflict, NotFound
from glyphscope.manifest import Manifest
from glyphscope.store import Store
from glyphscope.survey import Progress
from training import data, experiment
from training import recipe as recipes
from training.publish import prior_of, show

KEPT = (m.HISTORY, m.SNAPSHOTS, m.PRIOR)
"""Of the training, which is over: taken as they are."""


def republish(
    model: str,
    store: Store,
    root: Path,
    name: str | None,
    alias: str | None,
    progress: Progress = lambda done, images: None,
) -> Manifest:
    """Reads the data sets that its recipe names. Raises ``Conflict`` where it has no recipe."""
    if model.partition("@")[0] not in store.names():
        raise NotFound("run or model", model, store.names())
    folder = store.path(store.resolve(model))
    found = checkpoint.load(folder)
    manifest = found.manifest
    if manifest.training is None:
        raise Conflict(
            f"{manifest.ref} was not trained by Glyphscope: nothing says what its test set is"
        )
    recipe = recipes.parse(manifest.training.recipe)
    train, validation = experiment.splits(recipe, root)
    test = data.load(recipe.test or recipe.dataset, "test", root)
    draft = manifest.model_copy(
        update={
            "name": name or manifest.name,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": {},
        }
    )
    kept = {name: (folder / name).read_bytes() for name in KEPT if name in manifest.files}
    files = {m.HISTORY: b"[]", **prior_of(recipe.dataset, train, len(draft.labels)), **kept}
    return show(store, draft, found.network, validation, test, files, alias, progress)
