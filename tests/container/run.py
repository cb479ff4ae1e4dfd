"""Builds the Dockerfile, runs the image, waits for it, tries it, stops it. Docker or Podman.

    run.py [--context DIR] [--tag NAME] [--build-arg K=V]... [--port PORT] [--ready PATH]
           [--within SECONDS] [--exec COMMAND] [-- RUN_ARG...]

COMMAND runs with $URL, $CONTAINER and $ENGINE set. Exit code 0 means that all of it went well and
that SIGTERM ended the container with 0 or 143 (128 + SIGTERM). Only the standard library.
"""

import argparse
import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SECONDS = 20
ENDED_BY_SIGTERM = (0, 143)


class Failed(Exception):
    """``str`` says which step went wrong."""


def main() -> None:
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {text}", flush=True)

    options = parse()
    try:
        engine = find_engine()
        if engine is None:
            raise Failed("no docker and no podman answers here")
        build(engine, options)
        say(f"built {options.tag}: {size(engine, options.tag) / 1e6:.0f} MB")
        with running(engine, options) as container:
            address = published(engine, container, options.port)
            wait_until_ready(engine, container, address, options)
            say("ready")
            try_it(engine, container, address, options.exec)
            say("tried it")
            stop(engine, container)
            say("stopped")
    except Failed as error:
        sys.exit(f"container-test: {error}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--context", default=".")
    parser.add_argument("--tag", default="glyphscope:test")
    parser.add_argument("--build-arg", action="append", default=[])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--ready", default="/health/ready")
    parser.add_argument("--within", type=float, default=60)
    parser.add_argument("--exec", default="true")
    parser.add_argument("run_args", nargs="*")
    return parser.parse_args()


def find_engine() -> str | None:
    """A client alone is not enough: its daemon has to answer."""
    for engine in ("docker", "podman"):
        if shutil.which(engine) and capture(engine, "info").returncode == 0:
            return engine
    return None


def build(engine: str, options: argparse.Namespace) -> None:
    # Podman's own image format has no health check.
    form = ["--format", "docker"] if engine == "podman" else []
    arguments = [part for pair in options.build_arg for part in ("--build-arg", pair)]
    command = [engine, "build", *form, "--tag", options.tag, *arguments, options.context]
    if subprocess.run(command, check=False).returncode != 0:
        raise Failed("the build failed")


def size(engine: str, tag: str) -> int:
    return int(output(engine, "image", "inspect", "--format", "{{.Size}}", tag))


@contextmanager
def running(engine: str, options: argparse.Namespace) -> Iterator[str]:
    publish = f"127.0.0.1::{options.port}"
    container = output(
        engine, "run", "--detach", "--publish", publish, *options.run_args, options.tag
    )
    try:
        yield container
    finally:
        capture(engine, "rm", "--force", "--volumes", container)


def published(engine: str, container: str, port: int) -> str:
    return output(engine, "port", container, f"{port}/tcp").splitlines()[0]


def wait_until_ready(
    engine: str, container: str, address: str, options: argparse.Namespace
) -> None:
    deadline = time.monotonic() + options.within
    while not ready(address, options.ready):
        if time.monotonic() > deadline:
            logs = capture(engine, "logs", "--tail", "40", container)
            raise Failed(
                f"no 200 from {options.ready} in {options.within:.0f} s\n{logs.stdout}{logs.stderr}"
            )
        time.sleep(0.2)


def ready(address: str, path: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def try_it(engine: str, container: str, address: str, command: str) -> None:
    found = {"URL": f"http://{address}", "CONTAINER": container, "ENGINE": engine}
    done = subprocess.run(["sh", "-c", command], env={**os.environ, **found}, check=False)
    if done.returncode != 0:
        raise Failed("the command in --exec failed")


def stop(engine: str, container: str) -> None:
    output(engine, "stop", "--time", str(STOP_SECONDS), container)
    code = int(output(engine, "inspect", "--format", "{{.State.ExitCode}}", container))
    if code not in ENDED_BY_SIGTERM:
        raise Failed(f"SIGTERM ended it with {code}")


def capture(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def output(*command: str) -> str:
    done = capture(*command)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[:2])}: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
