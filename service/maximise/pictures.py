"""Finished maximisations as files to send: encoded once for each size, then read from disk.

    Pictures(found, job_id).unit("3", scale=8)     PNG
                           .film("3", scale=8)     PNG, frame beside frame
                           .grid(scale=8)          PNG of all units
                           .animation(scale=8)     WebP of all units

A file's name stands for its bytes for ever, because the job's id is the digest of all that makes
them: ``tag`` is a strong ETag that is known without reading anything.
"""

import contextlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glyphscope.errors import Conflict, NotFound, TooLarge
from glyphscope.visualise import grid, png
from glyphscope.visualise.pictures import GAP
from service.maximise.jobs import Status, replace
from service.maximise.maximisations import Maximisations

MAX_PIXELS = 2**25
"""Of one answer: all 4096 units of a wide layer fit at 28x28, but not sixteen times enlarged."""

FRAME_MS = 80
LAST_FRAME_MS = 1600

ENCODING = 1
"""Part of every ETag. Raise it when the same picture comes to have other bytes."""

Pixels = NDArray[np.uint8]


def tag(job_id: str, name: str) -> str:
    return f'"{job_id}-{ENCODING}-{name}"'


class Pictures:
    """Of one job, whose files are used from now on. Raises ``Conflict`` before it is done."""

    def __init__(self, found: Maximisations, job_id: str) -> None:
        self._found = found
        self._job_id = job_id
        found.jobs.used(job_id)

    def unit(self, unit: str, scale: int) -> bytes:
        """PNG. Raises ``NotFound`` for a unit that was not drawn."""
        path = self._found.jobs.picture(self._job_id, self._known(unit))
        return self._enlarged(path, scale)

    def film(self, unit: str, scale: int) -> bytes:
        """PNG of the way to the picture, frame beside frame."""
        path = self._found.jobs.film(self._job_id, self._known(unit))
        return self._enlarged(path, scale)

    def grid(self, scale: int) -> bytes:
        """PNG of all pictures."""
        return self._kept(f"grid@{scale}.png", lambda status: _still(self._sheet(status), scale))

    def animation(self, scale: int) -> bytes:
        """WebP of all pictures while they are drawn."""
        return self._kept(f"animation@{scale}.webp", lambda status: self._moving(status, scale))

    def _known(self, unit: str) -> int:
        units = [result.unit for result in self._status().results]
        if unit not in map(str, units):
            raise NotFound("unit of this maximisation", unit, units)
        return int(unit)

    def _status(self) -> Status:
        return self._found.done(self._job_id)

    def _enlarged(self, path: Path, scale: int) -> bytes:
        if scale == 1:
            return self._found.read(self._job_id, path)
        name = f"{path.stem}@{scale}.png"
        return self._kept(name, lambda status: _still(self._pixels(path), scale))

    def _kept(self, name: str, make: Callable[[Status], bytes]) -> bytes:
        path = self._found.jobs.encoded(self._job_id, name)
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        made = make(self._status())
        # Where there is no room, or the job was evicted just now, it is made again the next time.
        with contextlib.suppress(OSError):
            replace(path, made)
        return made

    def _sheet(self, status: Status) -> Pixels:
        paths = (self._found.jobs.picture(self._job_id, one.unit) for one in status.results)
        return grid([self._pixels(path) for path in paths])

    def _pixels(self, path: Path) -> Pixels:
        data = self._found.read(self._job_id, path)
        pixels = np.asarray(Image.open(io.BytesIO(data), formats=["PNG"]))
        return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)

    def _moving(self, status: Status, scale: int) -> bytes:
        if not status.frames:
            raise Conflict(f"maximisation {self._job_id} was drawn without frames")
        films = [
            self._pixels(self._found.jobs.film(self._job_id, result.unit))
            for result in status.results
        ]
        count = len(status.frames)
        frames = [grid([_frame(film, k, count) for film in films]) for k in range(count)]
        _, height, width = frames[0].shape
        check_scale(height, width, scale, count)
        return webp([_image(frame, scale) for frame in frames])


def webp(frames: Sequence[Image.Image]) -> bytes:
    """Lossless; it plays for ever, and rests on the last frame."""
    out = io.BytesIO()
    frames[0].save(
        out,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=[FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS],
        loop=0,
        lossless=True,
        quality=30,
        method=2,
    )
    return out.getvalue()


def _frame(film: Pixels, k: int, count: int) -> Pixels:
    width = film.shape[2] // count
    return film[:, :, k * width : (k + 1) * width]


def _image(pixels: Pixels, scale: int) -> Image.Image:
    large = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    return Image.fromarray(large[0] if len(large) == 1 else np.moveaxis(large, 0, -1)).convert(
        "RGB"
    )


def _still(pixels: Pixels, scale: int) -> bytes:
    _, height, width = pixels.shape
    check_scale(height, width, scale)
    return png(pixels, scale)


def check_sheet(tiles: int, size: tuple[int, int], columns: int, scale: int) -> None:
    """Before it is drawn: tiles of (height, width), with a gap, so many in a row."""
    rows = -(-tiles // columns)
    check_scale(rows * (size[0] + GAP), columns * (size[1] + GAP), scale)


def check_scale(height: int, width: int, scale: int, frames: int = 1) -> None:
    """Raises ``TooLarge``."""
    if height * width * scale**2 * frames > MAX_PIXELS:
        many = f"{frames} times " if frames > 1 else ""
        raise TooLarge(
            f"{many}{width}x{height} pixels, {scale} times enlarged, are more than the "
            f"{MAX_PIXELS} that are allowed; ask for a smaller scale"
        )
