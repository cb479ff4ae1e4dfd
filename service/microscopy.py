"""What a version was published with, and what it answers where it was not."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from glyphscope.errors import NotFound
from service.inference.model import Model

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint


def published(
    checkpoint: "Checkpoint | Model", there: bool, what: str, *, known: Iterable[object] = ()
) -> None:
    """Raises 404 with the reason unless it is ``there``. ``known``: what is, of the same kind."""
    if there:
        return
    names = ", ".join(str(one) for one in known)
    reason = f"; there are those of {names}" if names else ""
    raise HTTPException(404, f"{checkpoint.manifest.ref} was published without {what}{reason}")


def image_of(checkpoint: "Checkpoint", index: int) -> dict[str, Any] | None:
    """A test image that the version carries, as answers list it; None where it does not."""
    found = checkpoint.images.get(index)
    if found is None:
        return None
    labels = checkpoint.labels
    return {
        "index": index,
        "label": labels[found.label],
        "answer": labels[found.answer],
        "confidence": found.confidence,
        "image": f"/v1/models/{checkpoint.manifest.ref}/images/{index}.png",
    }


def class_named(checkpoint: "Checkpoint | Model", name: str) -> int:
    """A class by its label, or by its number where no label is written so. Raises ``NotFound``."""
    labels = checkpoint.labels
    if name in labels:
        return labels.index(name)
    if name.isascii() and name.isdecimal() and len(name) < 6 and int(name) < len(labels):
        return int(name)
    raise NotFound(f"class of {checkpoint.manifest.name}", name, labels)
