"""Whether versions' ``model.onnx`` answer as their weights do, found out by a process beside.

    async for finding in compare(folders): ...        in the process that serves
    python -m service.inference.comparing FOLDER ...  the other: imports PyTorch, tells, ends

A process that only classifies so stays without PyTorch: a second at its start, 120 MB, and a long
stop of its event loop.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from pydantic import BaseModel

from glyphscope.errors import BrokenCheckpoint
from glyphscope.folder import read_manifest
from service.inference import pytorch
from service.inference.onnx_network import agrees, open_onnx
from service.logs import configure_logging
from service.processes.niceness import command
from service.processes.python_path import python_path

NICE = 19

logger = logging.getLogger("glyphscope.service")


class Finding(BaseModel):
    """``error``: what is wrong with the weights, else None."""

    folder: Path
    agrees: bool
    error: str | None = None


async def compare(folders: Sequence[Path]) -> AsyncGenerator[Finding, None]:
    """One a folder, as they are found; fewer where the process beside dies or cannot be started,
    which is logged."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command(NICE, "service.inference.comparing", *map(str, folders)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": python_path()},
        )
    except OSError as error:
        logger.warning("model.onnx is not compared with the weights: %s", error)
        return
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            yield Finding.model_validate_json(line)
        code = await process.wait()
        if code:
            logger.warning("the process that compares model.onnx with the weights ended: %d", code)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def main() -> None:
    configure_logging("warning")
    for folder in map(Path, sys.argv[1:]):
        sys.stdout.write(_look(folder).model_dump_json() + "\n")
        sys.stdout.flush()


def _look(folder: Path) -> Finding:
    try:
        checkpoint = pytorch.read(folder, "cpu", 1)
    except BrokenCheckpoint as error:
        return Finding(folder=folder, agrees=False, error=str(error))
    onnx = open_onnx(read_manifest(folder), folder)
    return Finding(folder=folder, agrees=onnx is not None and agrees(onnx, checkpoint))


if __name__ == "__main__":
    main()
