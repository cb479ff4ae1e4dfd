"""Keeps one worker process running beside the server: starts it, starts it again, stops it."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Self

from service.processes.python_path import python_path

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0

# A worker that ran this long was fine, so the next one is started at once again.
_HEALTHY_SECONDS = 60.0

STOP_SECONDS = 15.0

# Without -P a folder "service" where somebody happens to stand would be taken for this package.
COMMAND = (sys.executable, "-P", "-m", "service.maximise.worker", "--until-stdin-closes")

logger = logging.getLogger("glyphscope.service")


class Supervisor:
    """A context: inside it the worker runs.

    The worker holds the reading end of a pipe whose writing end is here, so that it ends with this
    process even where this one is killed.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        command: Sequence[str] = COMMAND,
        patience: float = STOP_SECONDS,
    ) -> None:
        self._patience = patience
        self._environment = {**os.environ, **environment, "PYTHONPATH": python_path()}
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changing:
            self._stopping.set()
            if self._process is not None:
                self._process.terminate()
        self._thread.join(self._patience)
        if self._process is not None and self._process.poll() is None:
            logger.warning("the worker does not stop; killing it")
            self._process.kill()
            self._process.wait()

    def _watch(self) -> None:
        pause = FIRST_PAUSE
        while True:
            process = self._start()
            if process is None:
                return
            started = time.monotonic()
            with process:
                code = process.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _HEALTHY_SECONDS:
                pause = FIRST_PAUSE
            logger.warning("the worker ended with code %s; starting another", code)
            if self._stopping.wait(pause):
                return
            pause = min(pause * 2, LONGEST_PAUSE)

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._changing:
            if self._stopping.is_set():
                return None
            # A session of its own: Ctrl+C in the terminal is for the server, which then stops this.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
            return self._process
