"""What a process takes on, and how it ends: shared by its server, its connections and its requests.

serving -> stopping (told to end: not ready any more, still serving, connections close after their
next answer) -> draining (what is new is refused, what runs is answered) -> gone
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Lifecycle:
    """All of it belongs to one event loop."""

    stopping: bool = False
    draining: bool = False
    requests: int = 0
    body_bytes: int = 0
    refused: int = 0
    passed_deadlines: int = 0
    left_clients: int = 0
    running: set[Callable[[], None]] = field(default_factory=set)
    """Of each request that is not answered yet: what makes it end now, with 503."""

    def cut(self) -> None:
        """The time to drain is over: who waits is told so, instead of being dropped."""
        for end in list(self.running):
            end()

    def report(self) -> dict[str, int]:
        return {
            "requests": self.requests,
            "body_bytes": self.body_bytes,
            "refused_requests": self.refused,
            "passed_deadlines": self.passed_deadlines,
            "left_clients": self.left_clients,
        }
