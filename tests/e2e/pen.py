"""A hand that draws on the pad: with the mouse, or with a finger."""

from tests.e2e.chromium import CDPSession, Page

Strokes = list[list[list[float]]]
Points = list[list[tuple[float, float]]]

SHARE = 0.72
"""Of the paper's width: about as large as people write."""


def draw(page: Page, strokes: Strokes, *, lift: bool = True) -> None:
    """With the mouse. Without ``lift`` the button stays down at the end of the last stroke."""
    placed = place(page, strokes)
    for i, stroke in enumerate(placed):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point)
        if lift or i < len(placed) - 1:
            page.mouse.up()


def touch(page: Page, strokes: Strokes) -> None:
    """With one finger, as the browser gets it from a touch screen."""
    session = page.context.new_cdp_session(page)
    for stroke in place(page, strokes):
        _send(session, "touchStart", stroke[:1])
        for point in stroke[1:]:
            _send(session, "touchMove", [point])
        _send(session, "touchEnd", [])


def place(page: Page, strokes: Strokes) -> Points:
    """In the middle of the paper, in pixels of the window."""
    box = page.locator("#pad").bounding_box()
    assert box is not None
    side = SHARE * box["width"]
    width, height = (_largest(strokes, axis) * side for axis in (0, 1))
    left = box["x"] + (box["width"] - width) / 2
    top = box["y"] + (box["height"] - height) / 2
    return [[(left + x * side, top + y * side) for x, y in stroke] for stroke in strokes]


def _largest(strokes: Strokes, axis: int) -> float:
    return max(point[axis] for stroke in strokes for point in stroke)


def _send(session: CDPSession, kind: str, points: list[tuple[float, float]]) -> None:
    touches = [{"x": x, "y": y} for x, y in points]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
