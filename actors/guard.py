"""The guard through which the kernel calls foreign code.

A process must exit, and its peers must be notified, whatever a `repr`, a checkpoint, a log processor or a watcher
raises. So the kernel calls all of these through `attempt`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn, TypeVar

T = TypeVar("T")
D = TypeVar("D")


def attempt(
    function: Callable[..., T],
    *args: object,
    default: D,
    on_failure: Callable[[BaseException], object] | None = None,
) -> T | D:
    """Return `function(*args)`, or `default` if it raises any exception.

    A `KeyboardInterrupt` is meant for the program: the event loop raises it again.

    Args:
        function: foreign code
        args: its arguments
        default: returned if `function` raises
        on_failure: called with the exception, through the same guard
    """
    try:
        return function(*args)
    except BaseException as exception:  # noqa: BLE001  # SystemExit and CancelledError too: see above
        pass_interrupt_on(exception)
        if on_failure is not None:
            attempt(on_failure, exception, default=None)
        return default


def pass_interrupt_on(exception: BaseException) -> None:
    """Make the running loop raise `exception` if it is a `KeyboardInterrupt`; ignore any other exception.

    Raises:
        KeyboardInterrupt: immediately, if this thread does not run a loop.
    """
    if isinstance(exception, KeyboardInterrupt):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise exception from None
        loop.call_soon(_reraise, exception)


def _reraise(exception: BaseException) -> NoReturn:
    raise exception
