"""One router a noun. A route parses, calls one thing, and shapes the answer."""
