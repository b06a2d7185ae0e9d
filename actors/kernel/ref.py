"""References: the public view of a process, valid at any time and from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import pykka

from actors.exits import NORMAL, ExitReason
from actors.identity import Identity, Pid

if TYPE_CHECKING:
    from actors.kernel.cell import Cell
    from actors.kernel.process import Process


class Via(Protocol):
    """A name that is kept outside of the kernel, for instance in a `registry.Table`."""

    def whereis(self) -> Ref | None:
        """Return the process that currently holds the name."""
        ...


Target: TypeAlias = "Ref | str | Via"
"""Where to send a message: a reference, a registered name, or a name kept elsewhere."""


class _Nothing:
    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()
"""Stands for no checkpoint."""


class Ref(Pid, pykka.ActorRef["Process"]):
    """A reference to one process, never to its successor.

    Compared and hashed by identity. Copying a reference returns the same one; pickling raises `TypeError`. `tell`,
    `ask`, `stop` and `proxy` are Pykka's and thread-safe. A reference to a dead process keeps nothing alive but a
    checkpoint, until a successor has restored it.

    Attributes:
        checkpoint: what the process's `checkpoint` returned after a crash, until a successor's `restore` takes it
    """

    __slots__ = ("_cell", "actor_class", "checkpoint")

    def __init__(self, cell: Cell, ident: int, label: str) -> None:
        # Pykka's own constructor would copy the inbox and an Event into every reference.
        self._cell: Cell | None = cell
        self.actor_class = type(cell.process)
        self.id = ident
        self.label = label
        self.restarts = 0
        self.checkpoint: Any = NOTHING

    @property
    def actor_urn(self) -> str:  # type: ignore[override]  # Pykka keeps a string per reference
        """A URN of this process, unique within its scheduler."""
        return f"urn:canopy:{self.id}"

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]  # Pykka keeps the inbox alive in every reference
        """The mailbox, or None if the process is dead."""
        process = self._process
        return None if process is None else process.actor_inbox

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]  # Pykka has an Event per actor
        """Whether the process has exited, as a new event, the type that Pykka expects. It is not set later."""
        event = threading.Event()
        if self._cell is None:
            event.set()
        return event

    @property
    def _actor_weakref(self) -> Callable[[], Process | None]:  # type: ignore[override]  # read by Pykka's proxy
        return lambda: self._process

    @property
    def _process(self) -> Process | None:
        """The actor itself while it is alive, for Pykka's proxy and for tests."""
        cell = self._cell
        return None if cell is None else cell.process

    def is_alive(self) -> bool:
        """Return whether the process is alive. In another thread the answer may be stale immediately."""
        return self._cell is not None

    def tell(self, message: Any) -> None:
        """Send `message`; drop it silently if the process is dead, as OTP does (Pykka raises). Thread-safe."""
        cell = self._cell
        if cell is None:
            return
        if get_ident() == cell.scheduler.thread:  # `Scheduler.deliver`, inlined to save a call
            cell.receive(message)
        else:
            cell.scheduler.post(cell.receive, message)

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Send `message` as a call and wait for the reply, or return a future of it (`block=False`).

        Unlike in Pykka, an exception in the server ends the server, and the caller gets `CallExit`.

        Args:
            message: the request
            block: wait for the reply; on a thread that runs an event loop this raises immediately
            timeout: seconds to wait; no limit by default

        Raises:
            BlockingOnLoopError: if it would block a thread that runs an event loop
            CallExit: if the process is dead or exits before it replies; `CALLING_SELF` on its own thread; `KILLED` on
                the thread of a process that is killed
            pykka.Timeout: if no reply arrives in time
            RuntimeError: if the event loop of the process is closed
        """
        return self._ask(message, block, timeout)

    def stop(self, *, block: bool = True, timeout: float | None = None, reason: ExitReason = NORMAL) -> Any:
        """Ask the process to exit with `reason` after it has handled the messages already in its mailbox.

        Return True once it has exited, False if it was already dead; with `block=False`, a future of that.

        Raises:
            The same exceptions as `ask`.
        """
        return self._ask(StopRequest(reason), block, timeout)

    def _ask(self, message: Any, block: bool, timeout: float | None) -> Any:
        from actors.kernel.call import ask, ask_and_wait  # `call` imports this module

        return ask_and_wait(self, message, timeout) if block else ask(self, message)

    def proxy(self) -> pykka.ActorProxy[Any]:
        """Return a Pykka proxy: attribute access and method calls become messages, answered with futures."""
        return pykka.ActorProxy(actor_ref=self)


class Monitor(Identity):
    """One monitor, created by `Process.monitor`. Compared and hashed by identity."""

    __slots__ = ("target", "watcher")

    def __init__(self, watcher: Ref, target: Target) -> None:
        self.watcher = watcher
        self.target = target


class StopRequest:
    """Asks a process to exit with `reason` once it has handled the messages before this one."""

    __slots__ = ("reason",)

    def __init__(self, reason: ExitReason) -> None:
        self.reason = reason
