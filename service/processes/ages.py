"""How long ago files were touched: by whom somebody is known to be alive."""

import time
from pathlib import Path


def ages(folder: Path) -> list[tuple[Path, float]]:
    """(file, seconds), without those that go meanwhile."""
    now, found = time.time(), []
    for file in folder.glob("*"):
        try:
            found.append((file, now - file.stat().st_mtime))
        except FileNotFoundError:
            continue
    return found
