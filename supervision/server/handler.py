"""Pure. The protocol of WebSocket handlers, and the check that an object implements it."""

from __future__ import annotations

import inspect
from types import CoroutineType
from typing import Any, Final, NoReturn, Protocol
from weakref import WeakSet

from actors.anatomy import class_name
from protocol import Binary, Text

CALLBACKS: Final = ("opened", "received", "drained", "informed", "closed")

_checked_classes: WeakSet[type] = WeakSet()


class Handler(Protocol):
    """The application's side of one WebSocket; each incarnation of the connection actor makes a new one.

    The callbacks are plain functions. To wait for an answer, send a message, and handle the answer in `informed`. An
    exception in a callback crashes the connection actor, but not the socket.
    """

    def opened(self) -> None:
        """Handle the start of the WebSocket, or of a new incarnation after a crash."""

    def received(self, message: Text | Binary, /) -> None:
        """Handle a message from the client."""

    def drained(self) -> None:
        """Handle the end of a run of messages that arrived together."""

    def informed(self, message: Any, /) -> None:
        """Handle a message that another actor sent to the connection."""

    def closed(self, code: int, reason: str, /) -> None:
        """Handle the end of the client's side, with its close code and reason, or 1006 without a close frame.

        The client still gets what is sent here, if it reads. If an answer comes later, call `connection.hold_end()`
        here or before, and `connection.release_end()` after the answer was sent.
        """


def check_handler(handler: object) -> None:
    """Check that `handler` has all callbacks, and that each is a plain function. Checks each class once.

    Raises:
        TypeError: if not; the text names the class and the callback.
    """
    kind = type(handler)
    if kind in _checked_classes:
        return
    for name in CALLBACKS:
        callback = getattr(handler, name, None)
        if not callable(callback):
            raise TypeError(f"a {class_name(kind)} is not a handler: it has no function {name!r}")
        if _is_deferred(callback):
            refuse_callback(handler, name)
    _checked_classes.add(kind)


def check_result(handler: object, name: str, result: object) -> None:
    """Check that the callback `name` has run, given its `result`.

    Raises:
        TypeError: if it returned a coroutine or generator, which would never run.
    """
    if isinstance(result, CoroutineType):
        result.close()  # or Python warns that it was never awaited
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        refuse_callback(handler, name)


def refuse_callback(handler: object, name: str) -> NoReturn:
    """Raise the error for a callback that is not a plain function."""
    raise TypeError(
        f"{class_name(type(handler))}.{name} is not a plain function, as the callbacks of a handler must be: to wait "
        "for an answer, send a message and handle the answer in `informed`"
    )


def _is_deferred(function: object) -> bool:
    """Whether a call of `function` only makes a coroutine or a generator."""
    return (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    )
