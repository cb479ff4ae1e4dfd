"""The process that analyses: started by a server, one job after the other, ends with its server.

python -m service.analysis.process FD       FD: the pipe's end, inherited
"""

import logging
import sys
from importlib import import_module
from multiprocessing.connection import Connection

import torch

from glyphscope.errors import GlyphscopeError
from glyphscope.store import Store
from service.analysis.channel import receive_job, send_answer, send_error, send_ready
from service.analysis.tasks import perform
from service.analysis.workshop import Workshop
from service.inference.device import resolve_device
from service.logs import configure_logging
from service.processes.niceness import give_way
from service.settings import load_settings

NICE = 3
"""Where cores are few, classifications go first; pictures of maximisations (5) come last."""

logger = logging.getLogger("glyphscope.service")


def main() -> None:
    settings = load_settings()
    configure_logging(settings.log_level)
    give_way(NICE)
    torch.set_num_threads(settings.threads)
    workshop = Workshop(Store(settings.store), resolve_device(settings.device), settings.max_loaded)
    # What the library imports with the first attribution; nobody should wait for it then.
    import_module("captum.attr")
    pipe = Connection(int(sys.argv[1]))
    send_ready(pipe)
    serve(pipe, workshop)


def serve(pipe: Connection, workshop: Workshop) -> None:
    """Until the other end is closed, which the death of its process does too."""
    while True:
        try:
            job = receive_job(pipe)
        except (EOFError, ConnectionResetError):
            return
        try:
            answer = perform(workshop, job)
        except GlyphscopeError as error:
            send_error(pipe, error)
        except Exception as error:
            logger.exception("the analysis %s failed", job.task)
            send_error(pipe, error)
        else:
            send_answer(pipe, answer)


if __name__ == "__main__":
    main()
