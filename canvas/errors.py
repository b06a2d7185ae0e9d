"""Pure. What is wrong with a message of a client."""

from __future__ import annotations


class BadMessage(Exception):
    """A message that breaks a rule. The peer gets it as an `error`, and the connection stays.

    `code` is one of `docs/wire-protocol.md`; `field` names the culprit, if it is one.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(code, message, field)
        self.code = code
        self.message = message
        self.field = field

    def __str__(self) -> str:
        return self.message
