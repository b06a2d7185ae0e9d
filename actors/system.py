"""What plain code and processes alike may do with processes: send, end, watch, name them (Erlang's BIFs)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actors.exits import NOPROC, ExitReason, Watcher
from actors.ref import Ref, Target
from actors.scheduler import Scheduler


def self_ref() -> Ref | None:
    """The process whose callback runs (Erlang's `self/0`), or None in other code."""
    running = Scheduler.current().running
    return None if running is None else running.ref


def send(target: Target, message: object) -> None:
    """Send a plain message; to the dead or to a free name it is silently dropped. To a reference from any thread."""
    ref = target if isinstance(target, Ref) else Scheduler.current().whereis(target)
    if ref is not None:
        ref.tell(message)


def send_exit(target: Target, reason: ExitReason) -> None:
    """Send an exit signal (Erlang's `exit/2`); to the dead it is silently dropped. `KILL` cannot be trapped."""
    scheduler = Scheduler.current()
    scheduler.invoke(_send_exit, scheduler, target, reason)


def _send_exit(scheduler: Scheduler, target: Target, reason: ExitReason) -> None:
    ref = scheduler.whereis(target)
    cell = None if ref is None else ref._cell
    if cell is not None:
        sender = None if scheduler.running is None else scheduler.running.ref
        scheduler.signal(cell.exit_signal, sender, reason, False)


def watch(ref: Ref, watcher: Watcher) -> Callable[[], None]:
    """Have `watcher(ref, reason)` called at the end of a process, for code that is no process itself.

    At once with `NOPROC` if it is dead. Returns a function that ends the watch.
    """
    cell = ref._cell
    if cell is None:
        watcher(ref, NOPROC)
        return lambda: None
    return cell.scheduler.invoke(_watch, ref, watcher)


def _watch(ref: Ref, watcher: Watcher) -> Callable[[], None]:
    if ref._cell is None:
        watcher(ref, NOPROC)
        return lambda: None
    return ref._cell.watch(watcher)


def down(ref: Ref) -> asyncio.Future[ExitReason]:
    """The end of a process, to be awaited: its reason, or `NOPROC` if it is dead already."""
    ended: asyncio.Future[ExitReason] = Scheduler.current().loop.create_future()

    def note(_: Ref, reason: ExitReason) -> None:
        if not ended.done():
            ended.set_result(reason)

    unwatch = watch(ref, note)
    ended.add_done_callback(lambda _: unwatch())  # also if whoever awaits it gives up
    return ended


def register(name: str, target: Ref) -> None:
    """Give a living process a name; it is free again when the process is dead.

    Raises:
        ValueError: if the name is taken, the process is dead, or it has a name already.
    """
    scheduler = Scheduler.current()
    scheduler.invoke(_register, scheduler.names, name, target)


def _register(names: dict[str, Ref], name: str, target: Ref) -> None:
    cell = target._cell
    if name in names:
        raise ValueError(f"the name {name!r} is held by {names[name]!r}")
    if cell is None:
        raise ValueError(f"{target!r} is dead and cannot be named {name!r}")
    if cell.name is not None:
        raise ValueError(f"{target!r} has the name {cell.name!r} already")
    cell.name = name
    names[name] = target


def unregister(name: str) -> None:
    """Free a name.

    Raises:
        ValueError: if nobody holds it.
    """
    scheduler = Scheduler.current()
    scheduler.invoke(_unregister, scheduler.names, name)


def _unregister(names: dict[str, Ref], name: str) -> None:
    ref = names.pop(name, None)
    if ref is None:
        raise ValueError(f"nobody holds the name {name!r}")
    if ref._cell is not None:
        ref._cell.name = None


def whereis(target: Target) -> Ref | None:
    """The process that holds a name now, or None."""
    return Scheduler.current().whereis(target)
