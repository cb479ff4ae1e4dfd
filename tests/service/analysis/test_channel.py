"""What crosses the pipe arrives as it was sent; errors arrive as what they were."""

from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import numpy as np
import pytest

from glyphscope import errors as e
from service.analysis.channel import (
    receive_answer,
    receive_job,
    send_answer,
    send_error,
    send_job,
)
from service.analysis.job import Answer, Job

Ends = tuple[Connection, Connection]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = Pipe()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("shape", [None, (1, 1, 3, 2), (2, 3, 4, 4)])
def test_a_job(ends: Ends, shape: tuple[int, ...] | None) -> None:
    pixels = None
    if shape:
        values = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        pixels = np.moveaxis(np.moveaxis(values, 1, -1).copy(), -1, 1)  # not contiguous
    send_job(ends[0], Job("saliency", ("mnist@1",), {"target": 3, "label": "é"}, pixels))
    found = receive_job(ends[1])
    assert (found.task, found.models) == ("saliency", ("mnist@1",))
    assert found.options == {"target": 3, "label": "é"}
    if pixels is None:
        assert found.pixels is None
    else:
        np.testing.assert_array_equal(found.pixels, pixels)
        assert found.pixels is not None
        assert found.pixels.flags.writeable


def test_an_answer(ends: Ends) -> None:
    send_answer(ends[0], Answer(b"\x00\xff", "image/png"))
    assert receive_answer(ends[1]) == Answer(b"\x00\xff", "image/png")


@pytest.mark.parametrize(
    "error", [e.InvalidInput("no such"), e.TooLarge("10 px"), e.BrokenCheckpoint("a@1: gone")]
)
def test_an_error_raised_on_purpose(ends: Ends, error: e.GlyphscopeError) -> None:
    send_error(ends[0], error)
    with pytest.raises(type(error)) as caught:
        receive_answer(ends[1])
    assert type(caught.value) is type(error)
    assert str(caught.value) == str(error)


def test_a_name_that_is_not_found(ends: Ends) -> None:
    send_error(ends[0], e.NotFound("layer", "conv9", ["conv1", "conv2"]))
    with pytest.raises(e.NotFound, match="unknown layer 'conv9'; known: conv1, conv2") as caught:
        receive_answer(ends[1])
    assert caught.value.known == ["conv1", "conv2"]


def test_an_unexpected_error_keeps_its_text_to_itself(ends: Ends) -> None:
    send_error(ends[0], ZeroDivisionError("secret"))
    with pytest.raises(RuntimeError, match="ZeroDivisionError") as caught:
        receive_answer(ends[1])
    assert "secret" not in str(caught.value)


def test_nobody_left(ends: Ends) -> None:
    ends[0].close()
    with pytest.raises(EOFError):
        receive_job(ends[1])
