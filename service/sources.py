"""What an answer follows from, for its ETag: a version's contents and the service's own."""

from glyphscope.manifest import Manifest
from service.document.openapi import VERSION


def source(*manifests: Manifest) -> str:
    """Other when anything that the versions hold is other, under the same name or not."""
    parts = [(one.ref, one.created, one.digest, sorted(one.files.items())) for one in manifests]
    return f"{VERSION} {parts}"
