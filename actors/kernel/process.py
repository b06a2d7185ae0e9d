"""The actor's side of a process: the callbacks of a subclass, and the operations it may use in them.

A process is a Pykka actor that runs on the run queue instead of its own thread; the kernel's side of it is its `Cell`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Mapping
from types import CoroutineType, MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

import pykka
from pykka import messages as pykka_messages
from pykka._envelope import Envelope

from actors.describe import describe
from actors.exits import KILLED, NOPROC, NORMAL, ExitReason
from actors.failures import Crash, exception_in, reason_of, release_frames
from actors.kernel.call import Call, submit
from actors.kernel.cell import FOR_KERNEL, Cell, log
from actors.kernel.future import LoopFuture
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import NOTHING, Monitor, Ref, StopRequest, Target
from actors.kernel.report import Inspection
from actors.kernel.scheduler import Scheduler
from actors.kernel.signals import AlreadyStarted, StartError
from actors.kernel.threads import BlockingOnLoopError

P = TypeVar("P", bound="Process")

LONGEST_LABEL = 200
"""Maximum length of a label, in characters; a longer one is cut."""
EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


class Process(pykka.Actor):
    """One actor. Subclass `GenServer`; this base class has Pykka's callbacks (`on_start`, `on_receive`, `on_stop`).

    The state of a process is its attributes, under any names but those of this class. Names that begin with `_kernel`
    are reserved for the kernel.
    """

    is_reproducible: ClassVar[bool] = True
    """Whether attributes and message are enough to reproduce a crash. If so, crash reports contain a test."""

    # Pykka's constructor is not called: its uuid and Event per actor would cost more than everything else.
    __slots__ = ("_kernel", "_kernel_args")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._kernel = Cell(self, Scheduler.current(), self._create_actor_inbox())
        self._kernel_args = (args, kwargs)

    def __str__(self) -> str:
        return repr(self.ref)

    @property
    def ref(self) -> Ref:
        """The reference of this process."""
        return self._kernel.ref

    @property
    def parent(self) -> Ref | None:
        """The process that started this one with `start_link`, or None."""
        return self._kernel.parent

    @property
    def label(self) -> str:
        """The name shown in the tree, the console and the logs; need not be unique."""
        return self._kernel.ref.label

    @label.setter
    def label(self, label: str) -> None:
        if not isinstance(label, str):
            raise TypeError(f"a label must be a string, got {type(label).__name__}")
        cut = str.__getitem__(label, slice(0, LONGEST_LABEL))
        self._kernel.ref.label = cut if str.__len__(label) <= LONGEST_LABEL else f"{cut}..."

    @property
    def trap_exit(self) -> bool:
        """Whether exit signals arrive as `Exit` messages (Erlang's process flag)."""
        return self._kernel.trap_exit

    @trap_exit.setter
    def trap_exit(self, trap_exit: bool) -> None:
        self._kernel.trap_exit = trap_exit

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler that runs this process; its `loop` has the clock."""
        return self._kernel.scheduler

    # Operations for use in callbacks.

    def link(self, target: Target) -> None:
        """Link this process and `target`: when one exits, the other receives an exit signal with its reason.

        Linking again has no effect. If the target is dead, a process that traps exits receives `Exit` with `NOPROC`.

        Raises:
            ProcessExit: `NOPROC`, if the target is dead and this process does not trap exits.
        """
        self.scheduler.invoke(self._kernel.link, target)

    def unlink(self, target: Target) -> None:
        """Remove the link with `target`, if any; no exit signal from it arrives after that."""
        self.scheduler.invoke(self._kernel.unlink, target)

    def monitor(self, target: Target) -> Monitor:
        """Receive one `Down` message when `target` exits, or immediately with `NOPROC` if it is dead.

        Each call creates another monitor.
        """
        return self.scheduler.invoke(self._kernel.monitor, target)

    def demonitor(self, monitor: Monitor, *, flush: bool = False) -> None:
        """Remove `monitor`; with `flush`, also remove its `Down` if that is already in the mailbox."""
        self.scheduler.invoke(self._kernel.demonitor, monitor, flush)

    def discard(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove the messages for which `unwanted(message)` is true from the mailbox."""
        self.scheduler.invoke(self._kernel.mailbox.discard, unwanted)

    # Optional callbacks: checkpoints and introspection.

    def checkpoint(self) -> Any:
        """Return the value passed to `restore` of the process that replaces this one after a crash.

        It is called after the crash, on whatever state that left, if this process has a parent. `restore` gets the
        value once: if it fails, the next attempt starts without a checkpoint. If `init` fails first, the value is kept
        for the next attempt. By default there is no checkpoint. Neither callback may be a coroutine; those of a
        `BlockingServer` run on the loop's thread.
        """
        return NOTHING

    def restore(self, checkpoint: Any) -> Any:
        """Take over the value that the predecessor's `checkpoint` returned. Called after `init`.

        A result other than None replaces the result of `init`.
        """

    def format_status(self, status: Inspection) -> Inspection:
        """Return what crash reports, the log, traces and the console may show of this process (OTP `format_status/1`).

        They show the structure of the result, and those contents that are declared with `shown` or wrapped in `Shown`.
        Remove or replace anything else that must not be seen, such as a reason whose text contains a secret.
        """
        return status

    def set_message(self, message: Any) -> None:
        """Set the current message in crash reports, if the one from the mailbox only announced it."""
        self._kernel.message = message

    def stop(self) -> None:
        """Exit with reason `normal` after handling the messages already in the mailbox."""
        self.ref.tell(StopRequest(NORMAL))

    # Pykka's callbacks.

    def on_receive(self, message: Any) -> Any:
        """Handle a message; the result is the reply to an `ask`. Like all of Pykka's callbacks, may be a coroutine."""
        log.warning("actor.unexpected_message", actor=str(self), message=describe(message))

    # Pykka's hooks for new kinds of actors, and the rest of its interface.

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Ref:
        """Start an unlinked process, and return once its `init` has run.

        Raises:
            StartError: if `init` fails.
            Ignored: if `init` returns `IGNORE`.
            BlockingOnLoopError: if `init` awaits anything: use `await start(...)` instead.
        """
        return Scheduler.current().invoke(cls._start_now, args, kwargs)

    @classmethod
    def _start_now(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ref:
        cell = _create(cls, args, kwargs)
        cell.process._start_actor_loop()
        if cell.is_starting():
            cell.exit_now(KILLED)
            raise BlockingOnLoopError(
                f"init of {cls.__name__} awaits, which start() cannot: use `await start({cls.__name__}, ...)`"
            )
        cell.raise_refusal()
        return cell.ref

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Mailbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return LoopFuture()

    def _start_actor_loop(self) -> None:
        cell = self._kernel
        del self  # this frame may stay in a traceback, and would keep the process
        cell.boot()

    @property
    def actor_ref(self) -> Any:
        """Pykka's name for `ref`."""
        return self._kernel.ref

    @property
    def actor_inbox(self) -> Inbox:  # type: ignore[override]  # Pykka keeps it as an attribute
        """The mailbox as Pykka sees it."""
        return Inbox(self._kernel)

    @property
    def actor_urn(self) -> str:  # type: ignore[override]  # Pykka keeps a string per actor
        """Pykka's URN of this process."""
        return self._kernel.ref.actor_urn

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]  # Pykka has an Event per actor
        """Whether this process has exited, as a new event that is not set later."""
        return self._kernel.ref.actor_stopped

    # Hooks for kinds of processes. Each may return a coroutine, which the process drives to its end.

    def _kernel_init(self) -> Any:
        """Initialise; return `IGNORE`, `Stop` or any value that `_kernel_accept` understands."""
        self._kernel_args = ((), {})
        return self.on_start()

    def _kernel_accept(self, value: Any) -> None:
        """Apply the result of `_kernel_init`, unless that is `IGNORE` or `Stop`."""

    def _kernel_handle(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        """Handle one message."""
        return self._kernel.serve(message) if type(message) in FOR_KERNEL else self._kernel_receive(message)

    def _kernel_receive(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        """Handle one message that is not for the kernel."""
        return self._kernel_reply(message, self.on_receive(message.request if isinstance(message, Call) else message))

    def _kernel_reply(self, message: Any, answer: Any) -> Coroutine[Any, Any, Any] | None:
        """Reply to `message` now, or return the coroutine that does so once the reply is available."""
        if type(answer) is CoroutineType:
            return self._kernel_reply_later(message, answer)
        if isinstance(message, Call):
            message.resolve(answer)
        return None

    async def _kernel_reply_later(self, message: Any, answer: Coroutine[Any, Any, Any]) -> None:
        self._kernel_reply(message, await answer)

    def _kernel_attributes(self) -> dict[str, Any]:
        """Return the state as shown in reports and by `debug`."""
        return dict(vars(self))

    def _kernel_text(self, value: Any) -> str:
        """Describe a value for the text of an exception."""
        return describe(value, shows_values=self._kernel.scheduler.shows_values)

    def _kernel_replace(self, attributes: dict[str, Any]) -> None:
        """Replace the state."""
        mine = vars(self)
        mine.clear()
        mine.update(attributes)

    def _kernel_died(self) -> None:
        """Release what would outlive the process, such as timers."""

    def _kernel_finish(self, reason: ExitReason) -> Any:
        """Run before the process exits by itself, by its parent's order or after an exception."""
        exception = exception_in(reason)
        if exception is not None:
            return self.on_failure(type(exception), exception, exception.__traceback__)
        return self.on_stop()

    def _kernel_serve_proxy(self, message: Any, request: Any) -> Coroutine[Any, Any, Any] | None:
        """Serve `request` from a Pykka proxy, and reply to `message`."""
        return self._kernel_reply(message, self._kernel_proxied(request))

    def _kernel_proxied(self, message: Any) -> Any:
        """Return the value that a Pykka proxy asked for."""
        *path, name = message.attr_path
        owner: Any = self
        for attribute in path:
            owner = getattr(owner, attribute)
        match message:
            case pykka_messages.ProxyCall():
                return getattr(owner, name)(*message.args, **message.kwargs)
            case pykka_messages.ProxySetAttr():
                return setattr(owner, name, message.value)
            case _:
                return getattr(owner, name)


class Inbox:
    """The mailbox of one process as Pykka sees it."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def put(self, envelope: Envelope[Any], /) -> None:
        """Deliver a Pykka envelope. Thread-safe."""
        if envelope.reply_to is None:
            self._cell.scheduler.deliver(self._cell, envelope.message)
        else:
            submit(self._cell, envelope.message, envelope.reply_to)

    def get(self) -> Envelope[Any]:
        """Take the oldest message.

        Raises:
            IndexError: if the mailbox is empty.
        """
        if not self._cell.mailbox.items:
            raise IndexError("the mailbox is empty")
        return Envelope(self._cell.mailbox.items.popleft())

    def empty(self) -> bool:
        """Return whether the mailbox is empty."""
        return not self._cell.mailbox.items


async def start(cls: type[P], /, *args: Any, name: str | None = None, label: str | None = None, **kwargs: Any) -> Ref:
    """Start an unlinked process, and wait until its `init` has returned.

    Pass a parameter of `init` that is itself called `name` or `label` by position.

    Args:
        cls: class of the process; `args` and `kwargs` are passed to its `init`
        name: registered before `init` runs, and released when the process exits
        label: shown in the tree, the console and the logs; by default the name, or else the class

    Raises:
        StartError: if the constructor or `init` fails, or with `AlreadyStarted(ref)` if the name is taken.
        Ignored: if `init` returns `IGNORE`.
    """
    return await _spawn(None, cls, args, kwargs, name, label)


async def start_link(
    cls: type[P], /, *args: Any, name: str | None = None, label: str | None = None, **kwargs: Any
) -> Ref:
    """Start a process linked to the calling one, which becomes its `parent`. Otherwise the same as `start`."""
    return await start_successor(None, cls, args, kwargs, name=name, label=label)


async def start_successor(
    predecessor: Ref | None,
    cls: type[P],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] = EMPTY,
    *,
    name: str | None = None,
    label: str | None = None,
) -> Ref:
    """Start a process as `start_link` does, and pass it the checkpoint of `predecessor`, if any.

    Raises:
        RuntimeError: outside of a process.
        StartError, Ignored: as `start`; with `NOPROC` in a task of a process that has exited.
    """
    caller = Scheduler.current().running
    if caller is None:
        raise RuntimeError("start_link works only in the callbacks of a process; use start elsewhere")
    if not caller.ref.is_alive():
        raise StartError(NOPROC)
    return await _spawn(caller, cls, args, kwargs, name, label, predecessor)


async def _spawn(
    parent: Cell | None,
    cls: type[P],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    name: str | None,
    label: str | None,
    predecessor: Ref | None = None,
) -> Ref:
    # No variable here holds the process itself: the traceback of a failure would keep it alive.
    scheduler = Scheduler.current()
    if name is not None and name in scheduler.names:
        raise StartError(AlreadyStarted(scheduler.names[name]))
    cell = _create(cls, args, kwargs)
    if predecessor is not None and cell.start is not None:
        cell.start.predecessor = predecessor
    if label or name:
        cell.process.label = label or name or ""
    if name is not None:
        cell.name = name
        scheduler.names[name] = cell.ref
    if parent is not None:
        cell.parent = parent.ref
        cell.add_link(parent)
    cell.process._start_actor_loop()
    await cell.booted()
    return cell.ref


def _create(cls: type[P], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Cell:
    """Create an actor and return its cell.

    Raises:
        StartError: if the constructor raises anything but a `KeyboardInterrupt`.
    """
    try:
        process = cls(*args, **kwargs)
    except KeyboardInterrupt:
        raise
    except BaseException as exception:
        release_frames(exception)
        raise StartError(reason_of(exception)) from exception
    cell = getattr(process, "_kernel", None)
    if type(cell) is not Cell:
        mistake = TypeError(f"the constructor of {cls.__name__} does not call super().__init__(*args, **kwargs)")
        raise StartError(Crash(mistake)) from mistake
    return cell
