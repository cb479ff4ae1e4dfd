"""A sweep over a Ray cluster by Ray Tune; without RAY_ADDRESS, over a Ray of this machine's own.

Cells write their runs into the sweep's folder, as they do without Ray, so on a cluster that folder
and the data must lie on a file system that every machine sees under the same path. What is finished
is known from there too: Tune's own records are of no use afterwards and are taken away.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from glyphscope.errors import GlyphscopeError, InvalidRecipe
from training import device as devices
from training.sweep.cell import Place, Progress, Watcher, failure, train
from training.sweep.plan import Cell
from training.sweep.results import Result

# Ray reads these when it is imported or started; what a user has set stays.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the old reporter is the one that can be silent
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # a data set's path may be relative
    "TUNE_WARN_THRESHOLD_S": "10",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is the command's to answer
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

try:
    # Any, so that types are checked alike where this extra is installed and where it is not.
    ray: Any = import_module("ray")
    tune: Any = import_module("ray.tune")
except ImportError as error:
    raise InvalidRecipe(
        f'--engine ray needs Ray ({error}); install it with: pip install "ray[tune]"'
    ) from None


class TrialDied(GlyphscopeError):
    code = "trial-died"
    title = "A Ray worker ended"


def on_ray(cells: Sequence[Cell], place: Place, watcher: Watcher) -> None:
    """Every cell a trial of ``place.threads`` CPUs, and of a GPU where one is asked for."""
    with _ray():
        resources = {"cpu": place.threads, "gpu": int(devices.choose(place.device).type == "cuda")}
        tune.Tuner(
            tune.with_resources(_trial(cells, place), resources),
            param_space={"cell": tune.grid_search(list(range(len(cells))))},
            tune_config=tune.TuneConfig(max_concurrent_trials=place.jobs),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=str(place.out),
                callbacks=[_Reporter(cells, place, watcher)],
                verbose=0,
            ),
        ).fit()
    shutil.rmtree(place.out / "ray", ignore_errors=True)


@contextmanager
def _ray() -> Iterator[None]:
    """A Ray that the caller has started stays; one that is started here is stopped again."""
    if ray.is_initialized():
        yield
        return
    ray.init(include_dashboard=False, configure_logging=False, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


def _trial(cells: Sequence[Cell], place: Place) -> Callable[[dict[str, int]], None]:
    here = Path.cwd()

    def trial(config: dict[str, int]) -> None:
        if here.is_dir():
            os.chdir(here)
        torch.set_num_threads(place.threads)

        def tell(progress: Progress) -> None:
            if progress.done == int(progress.done):  # once an epoch: a report is a message
                # Tune keeps "done" for itself: a trial that reports it is stopped.
                tune.report({"epochs": progress.done, "accuracy": progress.accuracy})

        result = train(cells[config["cell"]], place, tell)
        tune.report({"result": result.model_dump(mode="json")})

    return trial


class _Reporter(tune.Callback):  # type: ignore[misc]
    """In this process: a trial's reports, given on to the sweep's watcher."""

    def __init__(self, cells: Sequence[Cell], place: Place, watcher: Watcher) -> None:
        self._cells, self._place, self._watcher = cells, place, watcher

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune saves a copy of its settings, this included; a live display cannot be copied."""
        return tune.Callback, ()

    def on_trial_result(self, *, trial: Any, result: dict[str, Any], **_: Any) -> None:
        cell = self._cells[trial.config["cell"]]
        if "result" in result:
            self._watcher.ended(Result.model_validate(result["result"]))
        else:
            self._watcher.progressed(Progress(cell, result["epochs"], result["accuracy"]))

    def on_trial_complete(self, *, trial: Any, **_: Any) -> None:
        if "result" not in trial.last_result:
            self._lost(trial, "it was stopped before it had a result")

    def on_trial_error(self, *, trial: Any, **_: Any) -> None:
        self._lost(trial, str(trial.get_error()).strip().splitlines()[-1])

    def _lost(self, trial: Any, reason: str) -> None:
        cell = self._cells[trial.config["cell"]]
        self._watcher.ended(failure(cell, self._place, "failed", TrialDied(reason)))
