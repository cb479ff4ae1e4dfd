"""The commands of ``glyphscope-train``, one a file: parse, call one function, show the answer."""
