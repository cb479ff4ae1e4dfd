"""The Python client.

    with Client("http://127.0.0.1:8000") as client:
        [prediction] = client.classify("mnist", images=["seven.png"])
        print(prediction.label, prediction.confidence)
        job = client.maximise("mnist", "conv1", units=[0, 3])
        Path("unit3.png").write_bytes(client.picture(job.id, 3, scale=8))
        for event in client.events(job.id, frames=True):
            print(event.kind, event.step, "of", event.steps)

A model is a name, "mnist@2" or "mnist@alias". Every error is a ``clients.errors.ClientError``.
"""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal, Self, Unpack
from urllib.parse import quote
from zipfile import BadZipFile

import httpx
import numpy as np
from numpy.typing import NDArray

from clients.answers import Layer, LayerStatistics, Maximisation, Model, Prediction, read
from clients.connection import Connection, Timeout, decoded
from clients.errors import ServiceFailed, Unfinished
from clients.events import Event, follow
from clients.inputs import Inputs, request_arguments
from clients.microscope import Microscope, given, member, model_path
from clients.retries import USUAL, Retries

DEFAULT_URL = "http://127.0.0.1:8000"

# Asked more and more rarely: a picture takes half a second, a whole layer minutes.
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5

# Three of the service's heart-beats: after that, nobody is there.
_QUIET_S = 30.0


class Client(Microscope):
    """``timeout``: seconds that an attempt may take. ``retries``: what failed for a moment is sent
    again where that is safe; ``Retries(attempts=1)`` tells every failure at once. ``transport`` and
    ``sleep`` can be replaced: for tests, or to reach a service another way."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        timeout: Timeout = 30.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        retries: Retries = USUAL,
        key: str | None = None,
    ) -> None:
        """``key`` is what the service's operator gave out, where it asks for one."""
        self._connection = Connection(url, timeout, transport, retries, sleep, key)
        self._sleep = sleep

    @property
    def url(self) -> str:
        return self._connection.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def models(self) -> list[Model]:
        return member(list[Model], self._connection.json("GET", "/v1/models"), "models")

    def model(self, model: str) -> dict[str, Any]:
        """The manifest: labels, input, network, metrics, hashes, as the checkpoint has it."""
        return read(dict[str, Any], self._connection.json("GET", model_path(model)))

    def layers(self, model: str) -> list[Layer]:
        """In the order in which an image passes them."""
        answer = self._connection.json("GET", f"{model_path(model)}/layers")
        return member(list[Layer], answer, "layers")

    def status(self) -> dict[str, Any]:
        """How the service is, as GET /v1/status has it."""
        return read(dict[str, Any], self._connection.json("GET", "/v1/status"))

    def promote(
        self, model: str, version: int, alias: str = "production", *, admin_key: str
    ) -> dict[str, Any]:
        """Let an alias name a version, forwards or back. ``late`` in the answer lists processes
        that need a moment longer."""
        path = f"{model_path(model)}/aliases/{quote(alias, safe='')}"
        return self._administer("PUT", path, admin_key, json={"version": version})

    def load(self, model: str, version: int, *, admin_key: str) -> dict[str, Any]:
        return self._administer("POST", f"{model_path(model)}/versions/{version}/load", admin_key)

    def unload(self, model: str, version: int, *, admin_key: str) -> dict[str, Any]:
        return self._administer("POST", f"{model_path(model)}/versions/{version}/unload", admin_key)

    def _administer(self, method: str, path: str, key: str, **sent: Any) -> dict[str, Any]:
        # Sent twice, it could undo what somebody else did in between.
        answer = self._connection.json(
            method, path, repeatable=False, headers={"X-Admin-Key": key}, **sent
        )
        return read(dict[str, Any], answer)

    def classify(
        self,
        model: str,
        *,
        top_k: int | None = None,
        with_input: bool = False,
        **inputs: Unpack[Inputs],
    ) -> list[Prediction]:
        """One prediction an image, of its ``top_k`` best classes (the service's choice if None);
        with ``with_input`` also the image as the network sees it."""
        asked = {"top_k": top_k, "include": "input" if with_input else None}
        answer = self._connection.json(
            "POST",
            f"{model_path(model)}/classify",
            params=given(asked),
            **request_arguments(inputs),
        )
        return member(list[Prediction], answer, "predictions")

    def activations(
        self, model: str, layers: Sequence[str] | None = None, **inputs: Unpack[Inputs]
    ) -> dict[str, NDArray[np.float32]]:
        """Layer -> (N, C, H, W) or (N, units), N images, in the order asked for; by default of
        every layer that has any, in the order in which an image passes them."""
        sent = self._activations(model, "npz", layers, inputs)
        try:
            with np.load(io.BytesIO(sent.content), allow_pickle=False) as found:
                return dict(found)
        except (ValueError, EOFError, OSError, BadZipFile) as error:
            raise ServiceFailed(f"the activations cannot be read: {error}") from None

    def statistics(
        self, model: str, layers: Sequence[str] | None = None, **inputs: Unpack[Inputs]
    ) -> list[LayerStatistics]:
        """Each unit's minimum, maximum, mean and standard deviation, layer by layer."""
        sent = self._activations(model, "json", layers, inputs)
        return member(list[LayerStatistics], decoded(sent), "layers")

    def activation_sheet(
        self, model: str, layers: Sequence[str] | None = None, **inputs: Unpack[Inputs]
    ) -> bytes:
        """A PNG of every channel's map, of the first image."""
        return self._activations(model, "png", layers, inputs).content

    def maximise(
        self,
        model: str,
        layer: str,
        units: Sequence[int] | Literal["all"] = "all",
        *,
        progress: Callable[[Maximisation], None] = lambda job: None,
        **settings: Any,
    ) -> Maximisation:
        """Start it and wait for its end; cancelled when this is interrupted.

        ``settings`` are those of the service (objective, steps, seed, ...). Raises ``Unfinished``
        where it fails or someone else cancels it.
        """
        job = self.start_maximisation(model, layer, units, **settings)
        try:
            return self.wait(job, progress)
        except (KeyboardInterrupt, SystemExit):
            self.cancel(job.id)
            raise

    def start_maximisation(
        self,
        model: str,
        layer: str,
        units: Sequence[int] | Literal["all"] = "all",
        **settings: Any,
    ) -> Maximisation:
        """An equal one that exists is found again, finished or not."""
        chosen = units if isinstance(units, str) else list(units)
        body = {"layer": layer, "units": chosen, **settings}
        answer = self._connection.json("POST", f"{model_path(model)}/maximisations", json=body)
        return read(Maximisation, answer)

    def wait(
        self, job: Maximisation, progress: Callable[[Maximisation], None] = lambda job: None
    ) -> Maximisation:
        """Until it is done. ``progress`` is told of every look at it, the first and last too."""
        pause = _FIRST_PAUSE_S
        progress(job)
        while not job.finished:
            self._sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE_S)
            job = self.maximisation(job.id)
            progress(job)
        if job.status != "done":
            raise Unfinished(job.error or "the maximisation was cancelled", job.status)
        return job

    def events(self, job_id: str, frames: bool = False) -> Iterator[Event]:
        """What happens to it, until it is over; with ``frames`` also what it looks like so far.

        Whoever comes late is told all from the beginning. A stream that is cut off, also by a
        service that starts again, is taken up where it was.
        """
        params = {"frames": "true" if frames else "false"}

        def open_stream(last: str) -> AbstractContextManager[httpx.Response]:
            headers = {"Last-Event-ID": last} if last else {}
            path = f"{_job(job_id)}/events"
            return self._connection.stream(path, _QUIET_S, params=params, headers=headers)

        return follow(open_stream, self._sleep)

    def maximisation(self, job_id: str) -> Maximisation:
        return read(Maximisation, self._connection.json("GET", _job(job_id)))

    def cancel(self, job_id: str) -> None:
        """One that is over stays as it is."""
        self._connection.send("DELETE", _job(job_id))

    def picture(self, job_id: str, unit: int, scale: int = 1) -> bytes:
        """PNG; every pixel of the picture becomes ``scale`` x ``scale`` equal ones."""
        return self._picture(f"{_job(job_id)}/units/{unit}.png", scale)

    def grid(self, job_id: str, scale: int = 1) -> bytes:
        """PNG of all units of the job on one sheet."""
        return self._picture(f"{_job(job_id)}/grid.png", scale)

    def film(self, job_id: str, unit: int, scale: int = 1) -> bytes:
        """PNG of the way to a picture, frame beside frame, at the steps in the job's ``frames``."""
        return self._picture(f"{_job(job_id)}/units/{unit}/film.png", scale)

    def animation(self, job_id: str, scale: int = 1) -> bytes:
        """WebP of all units of the job while they are drawn, laid out as ``grid``."""
        return self._picture(f"{_job(job_id)}/animation.webp", scale)

    def _picture(self, path: str, scale: int) -> bytes:
        return self._connection.send("GET", path, params={"scale": scale}).content

    def _activations(
        self, model: str, kind: str, layers: Sequence[str] | None, inputs: Inputs
    ) -> httpx.Response:
        asked = given({"format": kind, "layers": ",".join(layers) if layers else None})
        path = f"{model_path(model)}/activations"
        return self._connection.send("POST", path, params=asked, **request_arguments(inputs))


def _job(job_id: str) -> str:
    return f"/v1/maximisations/{quote(job_id, safe='')}"
