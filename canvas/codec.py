"""Pure. What the server says, in the two ways that clients understand: JSON and binary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from canvas import binary, messages
from canvas.errors import BadMessage
from canvas.grid import Change
from canvas.messages import ClientMessage, Coming, Welcome
from protocol import Binary, SharedMessage, Text


class Codec(Protocol):
    """One way to say it. What it returns is encoded once for all who are to be told."""

    def decode(self, message: Text | Binary, width: int, height: int) -> ClientMessage:
        """Read a message to a canvas of `width` x `height` pixels.

        Raises:
            BadMessage: if it is none.
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

    def presence(self, comings: Sequence[Coming]) -> SharedMessage:
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


class JsonCodec:
    """JSON in text frames: `canvas.messages`."""

    def __repr__(self) -> str:
        return "JSON"

    def decode(self, message: Text | Binary, width: int, height: int) -> ClientMessage:
        """See `Codec`."""
        if type(message) is Binary:
            raise BadMessage("unsupported_data", "messages are JSON in text frames")
        return messages.decode(message.data, width, height)

    def welcome(self, welcome: Welcome) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.text(messages.server_welcome(welcome))

    def changes(self, changes: Sequence[Change], after: int) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.text(*messages.server_pixels_changed(changes, after))

    def progress(self, after: int, upto: int) -> SharedMessage | None:
        """JSON has no word for it: the next change says how many were left out."""
        return None

    def presence(self, comings: Sequence[Coming]) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.text(*map(messages.server_coming, comings))

    def user_count(self, count: int) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.text(messages.server_user_count(count))

    def cursors(self, cursors: Sequence[tuple[str, int, int]]) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.text(*[messages.server_cursor_moved(*cursor) for cursor in cursors])

    def heartbeat(self) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.text(messages.server_heartbeat())

    def error(self, error: BadMessage) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.text(*messages.server_error(error))

    def ack(self, *acks: tuple[int, int]) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.text(*[messages.server_ack(*ack) for ack in acks])


class BinaryCodec:
    """Binary frames: `canvas.binary`."""

    def __repr__(self) -> str:
        return "BINARY"

    def decode(self, message: Text | Binary, width: int, height: int) -> ClientMessage:
        """See `Codec`."""
        if isinstance(message, Text):
            raise BadMessage("unsupported_data", f"messages of {binary.SUBPROTOCOL} are binary frames")
        return binary.decode(message.data, width, height)

    def welcome(self, welcome: Welcome) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.binary(binary.server_welcome(welcome))

    def changes(self, changes: Sequence[Change], after: int) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.binary(*binary.server_changes(changes, after))

    def progress(self, after: int, upto: int) -> SharedMessage | None:
        """See `Codec`."""
        return SharedMessage.binary(binary.server_progress(after, upto))

    def presence(self, comings: Sequence[Coming]) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.binary(binary.server_presence(comings))

    def user_count(self, count: int) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.binary(binary.server_user_count(count))

    def cursors(self, cursors: Sequence[tuple[str, int, int]]) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.binary(binary.server_cursors(cursors))

    def heartbeat(self) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.binary(binary.server_heartbeat())

    def error(self, error: BadMessage) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.binary(*binary.server_error(error))

    def ack(self, *acks: tuple[int, int]) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.binary(*[binary.server_ack(*ack) for ack in acks])


JSON: Final = JsonCodec()
BINARY: Final = BinaryCodec()
