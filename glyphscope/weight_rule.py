"""The name of where weights start: "default", "he", "normal:0.05". ``initialise.py`` draws them."""

NAMES = (
    "default",
    "he",
    "glorot",
    "xavier",
    "lecun",
    "orthogonal",
    "zeros",
    "constant",
    "normal",
    "uniform",
)

NUMBERED = ("constant", "normal", "uniform")
"""Followed by a colon and a number."""


def parse(text: str) -> tuple[str, float]:
    """ "normal:0.05" -> ("normal", 0.05), "he" -> ("he", 0.0). Raises ``ValueError``."""
    name, colon, number = text.partition(":")
    known = [f"{rule}:NUMBER" if rule in NUMBERED else rule for rule in NAMES]
    if name not in NAMES or bool(colon) != (name in NUMBERED):
        raise ValueError(f"unknown weight initialisation {text!r}; known: {', '.join(known)}")
    try:
        value = float(number) if colon else 0.0
    except ValueError:
        raise ValueError(f"{number!r} in weight initialisation {text!r} is no number") from None
    lowest = -1e6 if name == "constant" else 0.0
    if not lowest <= value <= 1e6:
        raise ValueError(f"the number in weight initialisation {text!r} must be {lowest:g} to 1e6")
    return name, value


def checked(text: str) -> str:
    parse(text)
    return text
