"""All channels of a layer in one call against one channel a call, with the default settings.

Interleaved rounds on one thread; prints seconds and the ratio, median (min to max).
"""

import argparse
import statistics
import time

import torch

from glyphscope import checkpoint
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest, maximise


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", default="mnist")
    arguments.add_argument("--layer", default="out2")
    arguments.add_argument("--steps", type=int, default=32)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    store = Store("checkpoints")
    found = checkpoint.load(store.path(store.resolve(given.model)))
    units = next(layer.units for layer in found.network.layers if layer.name == given.layer)

    def seconds(*requests: MaximisationRequest) -> float:
        began = time.perf_counter()
        for request in requests:
            maximise(found, request)
        return time.perf_counter() - began

    whole = MaximisationRequest(layer=given.layer, units="all", steps=given.steps)
    single = [
        MaximisationRequest(layer=given.layer, units=(unit,), steps=given.steps)
        for unit in range(units)
    ]
    rounds = [(seconds(*single), seconds(whole)) for _ in range(given.rounds)]
    what = f"{given.model}/{given.layer}, {units} channels x {given.steps} steps"
    print(f"{what}, 1 thread, n = {given.rounds}")
    print(f"one channel a call  {_spread([a for a, _ in rounds])} s")
    print(f"all in one call     {_spread([b for _, b in rounds])} s")
    print(f"ratio               {_spread([a / b for a, b in rounds])}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
