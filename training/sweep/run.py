"""A plan, a folder and an engine -> results, on disk after every cell."""

from dataclasses import dataclass
from pathlib import Path

import torch

from glyphscope.errors import InvalidRecipe
from training import device as devices
from training.sweep import engine as engines
from training.sweep import plot
from training.sweep.cell import Place, Progress, Watcher
from training.sweep.folder import SweepFolder
from training.sweep.plan import Plan, check, short
from training.sweep.results import Result, Results

ENGINES = ("local", "ray")

MOST_JOBS = 8
"""Each worker holds PyTorch and a data set, about half a gigabyte with MNIST."""


def engine(name: str) -> engines.Engine:
    if name == "local":
        return engines.local
    if name == "ray":
        from training.sweep import ray_tune  # an extra, and seconds to import

        return ray_tune.on_ray
    raise InvalidRecipe(f"unknown engine {name!r}; known: {', '.join(ENGINES)}")


def default_folder(runs: Path, plan: Plan) -> Path:
    """The same one for the same recipe and keys, which is why a sweep finds itself again."""
    return runs / "-".join(["sweep", plan.recipe.name, *(short(f.key) for f in plan.factors)])


def default_jobs(device_name: str, cells: int) -> int:
    """A core each; on a GPU one after the other, since they would share its memory."""
    if devices.choose(device_name).type == "cuda":
        return 1
    return max(1, min(engines.cores(), cells, MOST_JOBS))


def place(out: Path, root: Path, device_name: str, jobs: int) -> Place:
    """The cores that may be used are shared out among the jobs; a job has no more threads than
    PyTorch alone would take, which OMP_NUM_THREADS may have lowered."""
    threads = max(1, min(torch.get_num_threads(), engines.cores() // jobs))
    return Place(out.absolute(), root.absolute(), device_name, jobs, threads)


def sweep(plan: Plan, where: Place, train: engines.Engine, watcher: Watcher) -> Results:
    """Train the cells that are missing there, then draw. The test set is never read."""
    check(plan.cells, where.data_root)
    with SweepFolder.opened(where.out, plan) as folder:
        cells = folder.remaining()
        watcher.started(len(plan.cells) - len(cells), len(cells))
        if cells:
            train(cells, where, _Keeper(folder, watcher))
        results = folder.results()
        plot.draw(results, where.out / "sweep.png")
    return results


@dataclass
class _Keeper(Watcher):
    """Writes a result down before anybody hears of it."""

    folder: SweepFolder
    watcher: Watcher

    def progressed(self, progress: Progress) -> None:
        self.watcher.progressed(progress)

    def ended(self, result: Result) -> None:
        self.folder.add(result)
        self.watcher.ended(result)
