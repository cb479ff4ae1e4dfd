"""What ``glyphscope maximise`` leaves on disk."""

from dataclasses import dataclass
from pathlib import Path

from clients.answers import Maximisation
from clients.client import Client
from clients.terminal import write


@dataclass(frozen=True)
class Files:
    """``out`` is a folder or a .png, ``frames`` a folder, ``animation`` a .webp; each if wanted."""

    out: Path | None
    frames: Path | None
    animation: Path | None
    scale: int

    @property
    def wanted(self) -> bool:
        return any((self.out, self.frames, self.animation))

    def write(self, client: Client, job: Maximisation) -> list[Path]:
        return [
            *self._pictures(client, job),
            *self._films(client, job),
            *self._animation(client, job),
        ]

    def _pictures(self, client: Client, job: Maximisation) -> list[Path]:
        if self.out is None:
            return []
        if self.out.suffix.lower() == ".png":
            write(self.out, client.grid(job.id, self.scale))
            return [self.out]
        paths = [self.out / f"{job.model}-{job.layer}-{one.unit}.png" for one in job.results]
        for path, one in zip(paths, job.results, strict=True):
            write(path, client.picture(job.id, one.unit, self.scale))
        return paths

    def _films(self, client: Client, job: Maximisation) -> list[Path]:
        if self.frames is None:
            return []
        home = self.frames
        paths = [home / f"{job.model}-{job.layer}-{one.unit}-film.png" for one in job.results]
        for path, one in zip(paths, job.results, strict=True):
            write(path, client.film(job.id, one.unit, self.scale))
        return paths

    def _animation(self, client: Client, job: Maximisation) -> list[Path]:
        if self.animation is None:
            return []
        write(self.animation, client.animation(job.id, self.scale))
        return [self.animation]
