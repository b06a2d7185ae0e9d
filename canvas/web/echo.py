"""The handler of `/echo`: sends every message back. For conformance suites and benchmarks."""

from __future__ import annotations

from typing import Any

from protocol import Binary, Text
from supervision.server import Connection


class Echo:
    """Echoes the messages of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def opened(self) -> None:
        """Do nothing: the client speaks first."""

    def received(self, message: Text | Binary) -> None:
        """Send the message back."""
        if isinstance(message, Text):
            self._connection.send_text(message.data)
        else:
            self._connection.send_binary(message.data)

    def drained(self) -> None:
        """Do nothing: an echo holds no messages back."""

    def informed(self, message: Any) -> None:
        """Ignore messages from other processes."""

    def closed(self, code: int, reason: str) -> None:
        """Do nothing: an echo has nothing to release."""
