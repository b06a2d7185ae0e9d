"""Pure. The application's side of a WebSocket, and the check that an object can be one."""

from __future__ import annotations

import inspect
from types import CoroutineType
from typing import Any, Final, NoReturn, Protocol
from weakref import WeakSet

from actors.anatomy import class_name
from protocol import Binary, Text

CALLBACKS: Final = ("opened", "received", "drained", "informed", "closed")

_checked: WeakSet[type] = WeakSet()


class Handler(Protocol):
    """The application's side of one WebSocket. Made anew for every incarnation of its connection actor.

    Its callbacks are plain functions: one that has to wait for an answer sends a message, and gets the answer in
    `informed`. An exception in any of these crashes the connection actor, not the socket.
    """

    def opened(self) -> None:
        """The WebSocket is there, or is there again after a crash."""

    def received(self, message: Text | Binary, /) -> None:
        """Take a message of the peer."""

    def drained(self) -> None:
        """All messages that came together have been received."""

    def informed(self, message: Any, /) -> None:
        """Take a message that another actor sent to the connection."""

    def closed(self, code: int, reason: str, /) -> None:
        """The peer has ended its side; what it said, or 1006.

        What is sent here still arrives, if the peer reads. When an answer is under way that comes later, the handler
        calls `connection.hold_end()`, here or before, and `connection.release_end()` once it has sent the answer.
        """


def check_handler(handler: object) -> None:
    """Check that `handler` has all callbacks, and that each is a plain function. Looks at each class once.

    Raises:
        TypeError: if not; it names the class and the callback.
    """
    kind = type(handler)
    if kind in _checked:
        return
    for name in CALLBACKS:
        callback = getattr(handler, name, None)
        if not callable(callback):
            raise TypeError(f"a {class_name(kind)} is not a handler: it has no function {name!r}")
        if _runs_later(callback):
            refuse_callback(handler, name)
    _checked.add(kind)


def check_result(handler: object, name: str, result: object) -> None:
    """Check that the callback `name` has run, now that it has returned `result`.

    Raises:
        TypeError: if it returned a coroutine or the like, which nothing would run.
    """
    if isinstance(result, CoroutineType):
        result.close()  # Python would warn that nothing has awaited it
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        refuse_callback(handler, name)


def refuse_callback(handler: object, name: str) -> NoReturn:
    """Raise the error for a callback that is no plain function."""
    raise TypeError(
        f"{class_name(type(handler))}.{name} is not a plain function, as callbacks of a handler have to be: to wait "
        "for an answer, send a message and take the answer in `informed`"
    )


def _runs_later(function: object) -> bool:
    """Tell whether a call of `function` only makes a coroutine or a generator."""
    return (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    )
