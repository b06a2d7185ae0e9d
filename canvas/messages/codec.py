"""Pure. What a codec of the messages does. There are two: `json_codec` and `binary_codec`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from canvas.board.errors import BadMessage
from canvas.board.grid import Change
from canvas.messages.values import ClientMessage, PresenceChange, Welcome
from protocol import Binary, SharedMessage, Text


class Codec(Protocol):
    """One way to say it. What it returns is encoded once for all who are to be told."""

    def decode(self, message: Text | Binary, width: int, height: int) -> ClientMessage:
        """Read a message to a canvas of `width` x `height` pixels.

        Raises:
            BadMessage: if the message is invalid. It has the `id` of the message, if that was read.
        """
        ...

    def welcome(self, welcome: Welcome) -> SharedMessage:
        """Greet a client."""
        ...

    def changes(self, changes: Sequence[Change], after: int) -> SharedMessage:
        """Tell a client that was told of all up to change `after` of some that follow, at least one."""
        ...

    def progress(self, after: int, upto: int) -> SharedMessage | None:
        """Tell a client that was told of all up to change `after` that up to `upto` nothing concerns it."""
        ...

    def presence(self, changes: Sequence[PresenceChange]) -> SharedMessage:
        """Tell who has come and who has gone, in order."""
        ...

    def user_count(self, count: int) -> SharedMessage:
        """Tell how many people there are."""
        ...

    def cursors(self, cursors: Sequence[tuple[str, int, int]]) -> SharedMessage:
        """Tell where pointers are: user id, x and y of each."""
        ...

    def heartbeat(self) -> SharedMessage:
        """Tell a client that the connection is alive."""
        ...

    def error(self, error: BadMessage) -> SharedMessage:
        """Tell a client what is wrong."""
        ...

    def ack(self, *acks: tuple[int, int]) -> SharedMessage:
        """Tell a painter which of its messages have been dealt with: the id of each, and after which change."""
        ...
