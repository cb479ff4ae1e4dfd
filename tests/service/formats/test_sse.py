"""The words of a stream."""

import pytest

from service.formats.sse import Cursor, message


def test_a_message_is_three_lines_and_an_empty_one() -> None:
    assert message("done", b"{}", "1-end") == b"id: 1-end\nevent: done\ndata: {}\n\n"


@pytest.mark.parametrize(
    "cursor",
    [
        Cursor("17f3a", 0, 2),
        Cursor("17f3a", 812),
        Cursor("0", 0),
        Cursor("17f3a", 5, 0),
        Cursor("ab", 0, None, True),
    ],
)
def test_an_id_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "7", "g-1", "a-", "a-1-", "a-b", "a-end-1", "a-1-2-3", "\n"])
def test_what_is_no_id_of_ours_is_the_beginning(text: str) -> None:
    assert Cursor.parse(text) == Cursor()
