"""Operations on processes for any code: send, exit, stop, watch, register (Erlang's BIFs)."""

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
    """Return the process whose callback, or task made in a callback, is running (Erlang's `self/0`); None elsewhere."""
    running = Scheduler.current().running
    return None if running is None else running.ref


def send(target: Target, message: object) -> None:
    """Send a plain message; drop it silently if the target is dead or the name is not registered.

    Thread-safe if `target` is a reference.
    """
    ref = target if isinstance(target, Ref) else Scheduler.current().whereis(target)
    if ref is not None:
        ref.tell(message)


def send_exit(target: Target, reason: ExitReason) -> None:
    """Send an exit signal (Erlang's `exit/2`); drop it silently if the target is dead. `KILL` cannot be trapped.

    If the target lives on another event loop, the signal is still in transit when this returns.
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
    """Call `watcher(ref, reason)` when a process exits, and return a function that ends the watch. Thread-safe.

    For code outside of processes. The watcher runs on the loop of that process, or immediately with `NOPROC` if the
    process is dead. Its exceptions are logged.
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
    """Return a future of the exit reason of a process; `NOPROC` if it is already dead.

    Cancel the future if its result is no longer needed: `asyncio.wait` does not, but cancelling an `await` of it does.
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
    """Ask a process to exit with `reason` after the messages already in its mailbox, and wait until it is dead.

    Raises:
        CallExit: `NOPROC`, `TIMEOUT` after `timeout` seconds, `CALLING_SELF`, or the actual exit reason if it differs.
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
    """Return whether two reasons are equal. Their `==` may raise, or return a value that has no truth value."""
    return one is other or attempt(lambda: bool(one == other), default=False)


def register(name: str, target: Ref) -> None:
    """Give a living process a name, which is released when the process exits.

    Raises:
        ValueError: if the name is taken, or the process is dead, already has a name or lives on another loop.
    """
    scheduler = Scheduler.current()
    scheduler.invoke(_register, scheduler, name, target)


def _register(scheduler: Scheduler, name: str, target: Ref) -> None:
    names = scheduler.names
    cell = target._cell
    if not isinstance(name, str):
        raise TypeError(f"a name must be a string, got {describe(name)}")
    if name in names:
        raise ValueError(f"the name {name!r} is held by {names[name]!r}")
    if cell is None:
        raise ValueError(f"{target!r} is dead and cannot be named {name!r}")
    if cell.scheduler is not scheduler:
        raise ValueError(f"{target!r} lives on another event loop, and a name is registered on one loop only")
    if cell.name is not None:
        raise ValueError(f"{target!r} already has the name {cell.name!r}")
    cell.name = name
    names[name] = target


def unregister(name: str) -> None:
    """Release a name.

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
    """Return the process that currently holds a name, or None."""
    return Scheduler.current().whereis(target)
