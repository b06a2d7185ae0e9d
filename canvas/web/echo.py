"""The handler of `/echo`: sends every message back. For conformance suites and benchmarks."""

from __future__ import annotations

from typing import Any

from protocol import Binary, Text
from supervision.server import Connection


class Echo:
    """An echo."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def opened(self) -> None:
        """Wait."""

    def received(self, message: Text | Binary) -> None:
        """Send it back."""
        if isinstance(message, Text):
            self._connection.send_text(message.data)
        else:
            self._connection.send_binary(message.data)

    def drained(self) -> None:
        """Nothing was held back."""

    def informed(self, message: Any) -> None:
        """Nobody talks to an echo."""

    def closed(self, code: int, reason: str) -> None:
        """Done."""
