"""What was asked for was right and could not be done: a command's exit code 1, where 2 is the
caller's fault."""

from glyphscope.errors import GlyphscopeError


class Failure(GlyphscopeError):
    code = "failure"
    title = "It could not be done"
