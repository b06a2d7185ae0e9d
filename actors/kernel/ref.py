"""References: what may be known of a process from outside, at any time and from any thread."""

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
    """A name kept by something else than the kernel, for instance a `registry.Registry`."""

    def whereis(self) -> Ref | None:
        """The process that holds the name now."""
        ...


Target: TypeAlias = "Ref | str | Via"
"""Where a message may go: a reference, a registered name, or a name kept elsewhere."""


class _Nothing:
    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()
"""There is no checkpoint."""


class Ref(Pid, pykka.ActorRef["Process"]):
    """A process: one life of an actor, never its successor.

    Equal and hashed by identity; a copy of a reference is that reference, and none can be pickled. `tell`, `ask`,
    `stop` and `proxy` are Pykka's and work from any thread. A reference to a dead process keeps nothing else alive but
    a checkpoint, until a successor has taken it.

    Attributes:
        checkpoint: what its `checkpoint` returned at an abnormal end, until a successor has taken it in `restore`
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
        """A name of this process, unique in its scheduler."""
        return f"urn:canopy:{self.id}"

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]  # Pykka keeps the inbox alive in every reference
        """The mailbox, or None of a dead process."""
        process = self._process
        return None if process is None else process.actor_inbox

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]  # Pykka has an Event per actor
        """A snapshot of whether the process has ended, in the form Pykka gives it."""
        event = threading.Event()
        if self._cell is None:
            event.set()
        return event

    @property
    def _actor_weakref(self) -> Callable[[], Process | None]:  # type: ignore[override]  # read by Pykka's proxy
        return lambda: self._process

    @property
    def _process(self) -> Process | None:
        """The actor itself while it lives: for Pykka's proxy, and for tests that look inside."""
        cell = self._cell
        return None if cell is None else cell.process

    def is_alive(self) -> bool:
        """Tell whether the process has not ended yet. From another thread the answer may be outdated at once."""
        return self._cell is not None

    def tell(self, message: Any) -> None:
        """Send `message`; to the dead it is silently dropped, as in OTP (Pykka would raise). From any thread."""
        cell = self._cell
        if cell is None:
            return
        if get_ident() == cell.scheduler.thread:  # as `Scheduler.deliver`, without the call
            cell.receive(message)
        else:
            cell.scheduler.post(cell.receive, message)

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Send `message` as a call and wait for the answer, or return a future of it (`block=False`).

        Unlike in Pykka, an exception in the server ends the server, and the caller gets `CallExit`.

        Args:
            message: the request
            block: wait for the answer; on the event loop's own thread this raises at once
            timeout: seconds to wait, without end by default

        Raises:
            BlockingOnLoopError: if it would block the thread that has to compute the answer
            CallExit: if the process is dead or ends before it answers; `CALLING_SELF` on its own thread; `KILLED` on
                the thread of a process that is killed
            pykka.Timeout: if there is no answer in time
            RuntimeError: if the event loop of the process is closed
        """
        return self._ask(message, block, timeout)

    def stop(self, *, block: bool = True, timeout: float | None = None, reason: ExitReason = NORMAL) -> Any:
        """Ask the process to end with `reason` after the messages that are waiting already.

        Returns a boolean once it has ended, or a future of one (`block=False`): False if it was dead before.

        Raises:
            As `ask`.
        """
        return self._ask(StopRequest(reason), block, timeout)

    def _ask(self, message: Any, block: bool, timeout: float | None) -> Any:
        from actors.kernel.call import ask, ask_and_wait  # a call holds references, and a reference makes calls

        return ask_and_wait(self, message, timeout) if block else ask(self, message)

    def proxy(self) -> pykka.ActorProxy[Any]:
        """A Pykka proxy: attribute access and method calls become messages, answered with futures."""
        return pykka.ActorProxy(actor_ref=self)


class Monitor(Identity):
    """One monitor, made by `Process.monitor`. Equal and hashed by identity."""

    __slots__ = ("target", "watcher")

    def __init__(self, watcher: Ref, target: Target) -> None:
        self.watcher = watcher
        self.target = target


class StopRequest:
    """Asks a process to end with `reason` once it has handled what came before."""

    __slots__ = ("reason",)

    def __init__(self, reason: ExitReason) -> None:
        self.reason = reason
