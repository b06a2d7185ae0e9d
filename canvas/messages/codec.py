"""Pure. The interface of a codec. There are two: `json_codec` and `binary_codec`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from canvas.board.errors import BadMessage
from canvas.board.grid import Change
from canvas.messages.values import ClientMessage, PresenceChange, Welcome
from protocol import Binary, SharedMessage, Text


class Codec(Protocol):
    """Encodes and decodes messages. The result is a `SharedMessage`, encoded once for all its recipients."""

    def decode(self, message: Text | Binary, width: int, height: int) -> ClientMessage:
        """Decode a message to a canvas of `width` x `height` pixels.

        Raises:
            BadMessage: if the message is invalid. It carries the `id` of the message if that was decoded.
        """
        ...

    def welcome(self, welcome: Welcome) -> SharedMessage:
        """Greet a client."""
        ...

    def changes(self, changes: Sequence[Change], after: int) -> SharedMessage:
        """Tell a client that knows everything up to change `after` of at least one later change."""
        ...

    def progress(self, after: int, upto: int) -> SharedMessage | None:
        """Tell a client that knows everything up to `after` that no change up to `upto` concerns it.

        Return None if the codec has no such message.
        """
        ...

    def presence(self, changes: Sequence[PresenceChange]) -> SharedMessage:
        """Tell who has joined, been renamed or left, in order."""
        ...

    def user_count(self, count: int) -> SharedMessage:
        """Tell how many users are present."""
        ...

    def cursors(self, cursors: Sequence[tuple[str, int, int]]) -> SharedMessage:
        """Tell the positions of pointers: user id, x and y of each."""
        ...

    def heartbeat(self) -> SharedMessage:
        """Show a client that the connection is alive."""
        ...

    def error(self, error: BadMessage) -> SharedMessage:
        """Tell a client what is wrong."""
        ...

    def ack(self, *acks: tuple[int, int]) -> SharedMessage:
        """Acknowledge messages that painted: the id of each, and the `seq` after which it has taken effect."""
        ...
