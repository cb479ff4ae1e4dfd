"""How many GPUs a device's name means, found out in another process: asking a driver leaves a state
behind that forked processes could not use, and takes PyTorch, which the one that asks needs not."""

from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext

import orjson

from glyphscope.errors import InvalidInput
from service.inference.device import count_gpus, has_driver


def gpus(device: str, context: BaseContext) -> int:
    """0 is the CPU. Raises ``InvalidInput`` for a device that is not there."""
    if device == "cpu" or not has_driver():
        return count_gpus(device)
    answer, asked = context.Pipe(duplex=False)
    process = context.Process(  # type: ignore[attr-defined]
        target=_look, args=(device, asked), daemon=True
    )
    process.start()
    asked.close()
    with answer:
        found = orjson.loads(answer.recv_bytes())
    process.join()
    if "error" in found:
        raise InvalidInput(found["error"])
    return int(found["gpus"])


def _look(device: str, answer: Connection) -> None:
    try:
        found: dict[str, int | str] = {"gpus": count_gpus(device)}
    except InvalidInput as error:
        found = {"error": str(error)}
    answer.send_bytes(orjson.dumps(found))
