"""What plain code and processes alike may do with processes: send, end, stop, watch, name them (Erlang's BIFs)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from actors.describe import describe
from actors.exits import CALLING_SELF, NOPROC, NORMAL, TIMEOUT, ExitReason
from actors.failures import CallExit
from actors.guard import attempt
from actors.kernel.call import checked_timeout
from actors.kernel.ref import Ref, StopRequest, Target
from actors.kernel.scheduler import Scheduler
from actors.kernel.signals import Watcher

if TYPE_CHECKING:
    from actors.kernel.cell import Cell


def self_ref() -> Ref | None:
    """The process whose callback runs, or made the task that runs (Erlang's `self/0`); None in other code."""
    running = Scheduler.current().running
    return None if running is None else running.ref


def send(target: Target, message: object) -> None:
    """Send a plain message; to the dead or to a free name it is silently dropped. To a reference from any thread."""
    ref = target if isinstance(target, Ref) else Scheduler.current().whereis(target)
    if ref is not None:
        ref.tell(message)


def send_exit(target: Target, reason: ExitReason) -> None:
    """Send an exit signal (Erlang's `exit/2`); to the dead it is silently dropped. `KILL` cannot be trapped.

    To a process of another event loop it is on its way when this returns.
    """
    scheduler = Scheduler.current()
    ref = scheduler.invoke(scheduler.whereis, target)
    cell = None if ref is None else ref._cell
    if cell is None:
        return
    if cell.scheduler is not scheduler:
        cell.scheduler.post(_send_exit, cell, None, reason)
    else:
        sender = scheduler.running
        scheduler.invoke(_send_exit, cell, None if sender is None else sender.ref, reason)


def _send_exit(cell: Cell, sender: Ref | None, reason: ExitReason) -> None:
    cell.scheduler.signal(cell.exit_signal, sender, reason, False)


def watch(ref: Ref, watcher: Watcher) -> Callable[[], None]:
    """Have `watcher(ref, reason)` called at the end of a process, for code that is no process itself.

    It is called on the loop of that process; at once with `NOPROC` if it is dead. Its exceptions are logged. Returns a
    function that ends the watch. From any thread.
    """
    cell = ref._cell
    if cell is None:
        watcher(ref, NOPROC)
        return lambda: None
    home, token = cell.scheduler, object()
    if home.on_thread():
        cell.watch(token, watcher)
    else:
        home.post(_watch, ref, token, watcher, dropped=lambda: watcher(ref, NOPROC))

    def unwatch() -> None:
        if home.on_thread():
            cell.unwatch(token)
        else:
            home.post(cell.unwatch, token)

    return unwatch


def _watch(ref: Ref, token: object, watcher: Watcher) -> None:
    cell = ref._cell
    if cell is None:
        watcher(ref, NOPROC)
    else:
        cell.watch(token, watcher)


def down(ref: Ref) -> asyncio.Future[ExitReason]:
    """The end of a process, to be awaited: its reason, or `NOPROC` if it is dead already.

    Cancel the future when its result is not needed any more, unless it is awaited itself: `asyncio.wait` does not.
    """
    scheduler = Scheduler.current()
    ended: asyncio.Future[ExitReason] = scheduler.loop.create_future()

    def note(_: Ref, reason: ExitReason) -> None:
        if not ended.done():
            ended.set_result(reason)

    cell = ref._cell
    is_here = cell is None or cell.scheduler is scheduler
    unwatch = watch(ref, note if is_here else partial(scheduler.post, note))
    ended.add_done_callback(lambda _: unwatch(), context=scheduler.outside)
    return ended


async def stop(target: Target, reason: ExitReason = NORMAL, timeout: float | None = None) -> None:
    """Ask a process to end with `reason` after what it has to do already, and wait until it is dead.

    Raises:
        CallExit: `NOPROC`, `TIMEOUT`, `CALLING_SELF`, or the reason it really ended with.
    """
    scheduler = Scheduler.current()
    ref = scheduler.whereis(target)
    if ref is None or not ref.is_alive():
        raise CallExit(NOPROC, target)
    timeout = checked_timeout(timeout)
    caller = scheduler.running
    if caller is not None and caller is ref._cell and caller.is_running():
        raise CallExit(CALLING_SELF, target)
    ended = down(ref)
    ref.tell(StopRequest(reason))
    try:
        await asyncio.wait((ended,), timeout=timeout)
    finally:
        if not ended.done():
            ended.cancel()
    if ended.cancelled():
        raise CallExit(TIMEOUT, target)
    if not is_same_reason(ended.result(), reason):
        raise CallExit(ended.result(), target)


def is_same_reason(one: ExitReason, other: ExitReason) -> bool:
    """Tell whether two reasons are one. The `==` of a value may raise, or return something that has no truth."""
    return one is other or attempt(lambda: bool(one == other), default=False)


def register(name: str, target: Ref) -> None:
    """Give a living process a name; it is free again when the process is dead.

    Raises:
        ValueError: if the name is taken, or the process is dead, has a name already or lives on another loop.
    """
    scheduler = Scheduler.current()
    scheduler.invoke(_register, scheduler, name, target)


def _register(scheduler: Scheduler, name: str, target: Ref) -> None:
    names = scheduler.names
    cell = target._cell
    if not isinstance(name, str):
        raise TypeError(f"a name is a string, got {describe(name)}")
    if name in names:
        raise ValueError(f"the name {name!r} is held by {names[name]!r}")
    if cell is None:
        raise ValueError(f"{target!r} is dead and cannot be named {name!r}")
    if cell.scheduler is not scheduler:
        raise ValueError(f"{target!r} lives on another event loop, and names are those of one loop")
    if cell.name is not None:
        raise ValueError(f"{target!r} has the name {cell.name!r} already")
    cell.name = name
    names[name] = target


def unregister(name: str) -> None:
    """Free a name.

    Raises:
        ValueError: if no process holds it.
    """
    scheduler = Scheduler.current()
    scheduler.invoke(_unregister, scheduler.names, name)


def _unregister(names: dict[str, Ref], name: str) -> None:
    ref = names.pop(name, None)
    if ref is None:
        raise ValueError(f"no process holds the name {name!r}")
    if ref._cell is not None:
        ref._cell.name = None


def whereis(target: Target) -> Ref | None:
    """The process that holds a name now, or None."""
    return Scheduler.current().whereis(target)
