"""Pure. What a callback may return that is no value but tells the kernel what to do."""

from __future__ import annotations

from typing import Any, Final

from actors.exits import NORMAL, ExitReason


class _Ignore:
    def __repr__(self) -> str:
        return "IGNORE"


IGNORE: Final = _Ignore()
"""Returned by `init`: do not start, and that is no error."""


class Directive:
    """Base of what callbacks return to the kernel; a kind of process adds its own."""

    __slots__ = ()


class Stop(Directive):
    """Returned by a callback: end with `reason`, after `terminate`. From `init` it makes the start fail."""

    __slots__ = ("reason", "reply")

    def __init__(self, reason: ExitReason = NORMAL, reply: Any = IGNORE) -> None:
        self.reason = reason
        self.reply = reply
