"""Pure. The error for an invalid message of a client."""

from __future__ import annotations

from collections.abc import Iterable


class BadMessage(Exception):
    """A message, or a part of one, breaks a rule. The client gets an `error`, and the connection stays open.

    Attributes:
        code: one of the codes in `docs/wire-protocol.md`
        message: the text for the client
        field: the invalid field, if the error is about one
        retry_after: seconds after which the same message may be accepted; None if waiting does not help
        id: the client's id of the message; None if the message has none, or was not decoded that far
        paints: whether the message paints
        pixels: the refused pixels, as (x, y); empty if the whole message is refused
    """

    def __init__(self, code: str, message: str, field: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(code, message, field)
        self.code = code
        self.message = message
        self.field = field
        self.retry_after = retry_after
        self.id: int | None = None
        self.paints = False
        self.pixels: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        return self.message

    def about(self, id_: int | None, pixels: Iterable[tuple[int, int]]) -> BadMessage:
        """Return a copy about some pixels of a message. It has no traceback, which would keep whole frames alive."""
        kept = BadMessage(self.code, self.message, self.field, self.retry_after)
        kept.id, kept.pixels = id_, tuple(pixels)
        return kept
