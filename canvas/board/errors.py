"""Pure. What is wrong with a message of a client."""

from __future__ import annotations

from collections.abc import Iterable


class BadMessage(Exception):
    """A message, or a part of one, that breaks a rule. The peer gets it as an `error`, and the connection stays.

    Attributes:
        code: one of `docs/wire-protocol.md`
        field: the culprit, if it is one
        retry_after: seconds until the same may be allowed; None if time changes nothing
        id: what the client calls the message; None if it says nothing, or was not read that far
        paints: the message is one that paints
        pixels: which pixels are refused; none if it is the message as a whole
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
        """The same about some pixels of a message, to be kept: without the traceback, which keeps whole frames."""
        kept = BadMessage(self.code, self.message, self.field, self.retry_after)
        kept.id, kept.pixels = id_, tuple(pixels)
        return kept
