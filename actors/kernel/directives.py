"""Pure. Directives: return values of a callback that tell the kernel what to do next."""

from __future__ import annotations

from typing import Any, Final

from actors.exits import NORMAL, ExitReason


class _Ignore:
    def __repr__(self) -> str:
        return "IGNORE"


IGNORE: Final = _Ignore()
"""Returned by `init`: do not start, without an error (OTP's `ignore`)."""


class Directive:
    """Base class of directives; each kind of process adds its own."""

    __slots__ = ()


class Stop(Directive):
    """Returned by a callback: exit with `reason` after `terminate`. Returned by `init`, it makes the start fail."""

    __slots__ = ("reason", "reply")

    def __init__(self, reason: ExitReason = NORMAL, reply: Any = IGNORE) -> None:
        self.reason = reason
        self.reply = reply
