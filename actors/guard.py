"""The one guard behind which the kernel calls code that is not its own.

A process has to end, and its peers have to be notified, whatever a `repr`, a checkpoint, a log processor or a watcher
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
    """Return `function(*args)`, or `default` if it raises anything at all.

    A `KeyboardInterrupt` is meant for the program: it is raised again by the event loop.

    Args:
        function: code of somebody else
        args: its arguments
        default: what to return in place of its result
        on_failure: called with the exception, behind the same guard
    """
    try:
        return function(*args)
    except BaseException as exception:  # noqa: BLE001  # SystemExit and CancelledError too: see above
        pass_interrupt_on(exception)
        if on_failure is not None:
            attempt(on_failure, exception, default=None)
        return default


def pass_interrupt_on(exception: BaseException) -> None:
    """Have the running loop raise `exception` if it is a `KeyboardInterrupt`; do nothing with any other.

    Raises:
        KeyboardInterrupt: at once, if this thread runs no loop.
    """
    if isinstance(exception, KeyboardInterrupt):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise exception from None
        loop.call_soon(_reraise, exception)


def _reraise(exception: BaseException) -> NoReturn:
    raise exception
