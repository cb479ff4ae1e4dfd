"""Every error that Glyphscope raises on purpose.

    GlyphscopeError
    ├── InvalidInput         what was sent cannot be used
    │   ├── NotAnImage       the bytes are no picture that can be read
    │   ├── TooLarge         it can be read, but is larger than allowed
    │   └── EmptyDrawing     there is no ink on it
    ├── KeyNeeded            no key was sent, or one that is not known
    ├── NotFound             a name that nobody knows; the message lists the known ones
    ├── InvalidSpec          a network description that cannot be built
    ├── BrokenCheckpoint     files missing, changed, or not understood
    ├── InvalidRecipe        a training recipe or a run that cannot be used
    ├── DataMissing          a data set that is not on disk and cannot be fetched
    ├── Conflict             it exists already, or is in the wrong state for this
    ├── Busy                 too much waits already; try again later
    │   └── TooOften         one client asks more often than it may
    ├── Unavailable          it is known, but not served now
    ├── DeadlinePassed       it was not answered in the time that it had
    └── Cancelled            somebody asked for the work to stop

A program translates them at one place: the service into problem+json, a command line into one
line and exit code 2. ``code`` is stable and meant for programs, ``title`` for people.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar

# Past this many names a message stops being read, so it gives the nearest and a count.
_LISTED = 40


class GlyphscopeError(Exception):
    """The root. ``str(error)`` says what was wrong and what is allowed."""

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"


class InvalidInput(GlyphscopeError):
    code = "invalid-input"
    title = "The input cannot be used"


class NotAnImage(InvalidInput):
    code = "not-an-image"
    title = "Not an image"


class TooLarge(InvalidInput):
    code = "too-large"
    title = "Too large"


class EmptyDrawing(InvalidInput):
    code = "empty-drawing"
    title = "Nothing is drawn"


class KeyNeeded(GlyphscopeError):
    code = "key-needed"
    title = "A key is needed"


class NotFound(GlyphscopeError):
    """``kind`` is a noun ("model", "layer"), ``known`` are the names that would have worked."""

    code = "not-found"
    title = "Not found"

    def __init__(self, kind: str, name: object, known: Iterable[object]) -> None:
        self.kind = kind
        self.name = str(name)
        self.known = [str(k) for k in known]
        super().__init__(f"unknown {kind} {self.name!r}; {self._allowed()}")

    def _allowed(self) -> str:
        if not self.known:
            return "none are known"
        if len(self.known) <= _LISTED:
            return "known: " + ", ".join(self.known)
        near = get_close_matches(self.name, self.known, n=5, cutoff=0.0)
        return f"nearest of {len(self.known)} known: " + ", ".join(near)


class InvalidSpec(GlyphscopeError):
    code = "invalid-spec"
    title = "The network cannot be built"


class BrokenCheckpoint(GlyphscopeError):
    code = "broken-checkpoint"
    title = "The checkpoint is broken"


class InvalidRecipe(GlyphscopeError):
    code = "invalid-recipe"
    title = "The recipe cannot be used"


class DataMissing(GlyphscopeError):
    code = "data-missing"
    title = "The data set is not there"


class Conflict(GlyphscopeError):
    code = "conflict"
    title = "Not possible in this state"


class Busy(GlyphscopeError):
    code = "busy"
    title = "Too much is waiting"


class TooOften(Busy):
    """``seconds`` from now it may ask again."""

    code = "too-often"
    title = "Too many requests"

    def __init__(self, message: str, seconds: float = 1.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class Unavailable(GlyphscopeError):
    code = "unavailable"
    title = "Not served now"


class DeadlinePassed(GlyphscopeError):
    code = "deadline-passed"
    title = "The deadline has passed"


class Cancelled(GlyphscopeError):
    code = "cancelled"
    title = "Cancelled"
