"""Who runs a job.

hand.run(job, seconds) -> Answer     blocking; raises what the job raised, ``DeadlinePassed``,
                                     or ``Busy`` where its process died
hand.close()
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Protocol

from glyphscope.errors import Busy
from service.analysis.channel import receive_answer, send_job
from service.analysis.job import Answer, Job
from service.processes.python_path import python_path

COMMAND = (sys.executable, "-P", "-m", "service.analysis.process")

START_SECONDS = 180.0
"""It imports PyTorch and Captum first: seconds, but minutes where everything starts at once."""

logger = logging.getLogger("glyphscope.service")


class DeadlinePassed(Exception):
    """The job was given up."""


class Hand(Protocol):
    def start(self) -> None: ...

    def run(self, job: Job, seconds: float) -> Answer: ...

    def close(self) -> None: ...


class Child:
    """A process that is started with its first job, and again after one that it did not survive.

    A job past its deadline is stopped the only way that always works: with its process.
    """

    def __init__(self, environment: Mapping[str, str], command: Sequence[str] = COMMAND) -> None:
        self._environment = {**os.environ, **environment, "PYTHONPATH": python_path()}
        self._command = command
        self._closing = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        if self._pipe is None:
            pipe = self._launch()
            with self._dying("while it started"):
                if not pipe.poll(START_SECONDS):
                    raise EOFError
                pipe.recv_bytes()

    def run(self, job: Job, seconds: float) -> Answer:
        self.start()
        with self._dying(f"during {job.task}"):
            pipe = self._pipe
            if pipe is None:
                raise EOFError
            send_job(pipe, job)
            if not pipe.poll(seconds):
                self.close()
                raise DeadlinePassed
            return receive_answer(pipe)

    def close(self) -> None:
        with self._closing:
            pipe, process = self._pipe, self._process
            self._pipe = self._process = None
            if process is not None:
                process.kill()
                process.wait()
            # Last: a thread that waits at the pipe is woken by the death at its other end.
            if pipe is not None:
                pipe.close()

    @contextmanager
    def _dying(self, when: str) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as error:
            self.close()
            logger.warning("the process that analyses ended %s", when)
            raise Busy("the process that works this out ended; try again in a moment") from error

    def _launch(self) -> Connection:
        self._pipe, theirs = Pipe()
        with theirs:
            # A session of its own: Ctrl+C in the terminal is for the server, which then ends this.
            self._process = subprocess.Popen(
                [*self._command, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )
        return self._pipe


class Here:
    """In the calling thread. Nothing can stop a job here, so a late answer is only dropped."""

    def __init__(self, perform: Callable[[Job], Answer]) -> None:
        self._perform = perform

    def start(self) -> None:
        pass

    def run(self, job: Job, seconds: float) -> Answer:
        return self._perform(job)

    def close(self) -> None:
        pass
