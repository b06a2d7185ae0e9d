"""The actor's side of a process: what a subclass fills in, and what it may do in its callbacks.

A process is a Pykka actor that runs on the run queue instead of a thread of its own; the kernel's side is its `Cell`.
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
"""Characters of a label that are kept."""
EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


class Process(pykka.Actor):
    """One actor. Subclass `GenServer`; this class itself speaks Pykka (`on_start`, `on_receive`, `on_stop`).

    Its state is its attributes, under any names but those of this class; the kernel's own begin with `_kernel`.
    """

    is_reproducible: ClassVar[bool] = True
    """Whether a crash can be repeated with the attributes and the message alone. Crash reports write a test if so."""

    # Without Pykka's constructor: a uuid and an Event for each actor would cost more than all the rest.
    __slots__ = ("_kernel", "_kernel_args")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._kernel = Cell(self, Scheduler.current(), self._create_actor_inbox())
        self._kernel_args = (args, kwargs)

    def __str__(self) -> str:
        return repr(self.ref)

    @property
    def ref(self) -> Ref:
        """This process."""
        return self._kernel.ref

    @property
    def parent(self) -> Ref | None:
        """The process that started this one with a link."""
        return self._kernel.parent

    @property
    def label(self) -> str:
        """What people call this process; it stands in the tree and in the logs."""
        return self._kernel.ref.label

    @label.setter
    def label(self, label: str) -> None:
        if not isinstance(label, str):
            raise TypeError(f"a label is a string, got {type(label).__name__}")
        cut = str.__getitem__(label, slice(0, LONGEST_LABEL))
        self._kernel.ref.label = cut if str.__len__(label) <= LONGEST_LABEL else f"{cut}..."

    @property
    def trap_exit(self) -> bool:
        """Whether exit signals come as `Exit` messages (Erlang's process flag)."""
        return self._kernel.trap_exit

    @trap_exit.setter
    def trap_exit(self, trap_exit: bool) -> None:
        self._kernel.trap_exit = trap_exit

    @property
    def scheduler(self) -> Scheduler:
        """Where this process runs; its `loop` has the clock."""
        return self._kernel.scheduler

    # What a process may do to others, and to itself, in its callbacks.

    def link(self, target: Target) -> None:
        """Link this process and `target`: when one ends, the other gets an exit signal with its reason.

        Linking twice is linking once. A dead target sends `NOPROC` to a process that traps exits.

        Raises:
            ProcessExit: `NOPROC`, if the target is dead and this process does not trap exits.
        """
        self.scheduler.invoke(self._kernel.link, target)

    def unlink(self, target: Target) -> None:
        """Remove the link with `target`, if there is one; no exit signal of it comes any more."""
        self.scheduler.invoke(self._kernel.unlink, target)

    def monitor(self, target: Target) -> Monitor:
        """Get one `Down` message when `target` ends, at once with `NOPROC` if it is dead. Monitors pile up."""
        return self.scheduler.invoke(self._kernel.monitor, target)

    def demonitor(self, monitor: Monitor, *, flush: bool = False) -> None:
        """End `monitor`; with `flush` a `Down` of it that is in the mailbox already is removed as well."""
        self.scheduler.invoke(self._kernel.demonitor, monitor, flush)

    def discard(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove the messages from the mailbox that `unwanted` accepts."""
        self.scheduler.invoke(self._kernel.mailbox.discard, unwanted)

    # What a process may tell of itself.

    def checkpoint(self) -> Any:
        """Return the value passed to `restore` of the process that replaces this one after an abnormal end.

        It is called at that end, on whatever state the crash left, if this process has a parent. `restore` gets the
        value once: if it fails, the next attempt begins without. An `init` that fails before leaves it to the next
        attempt. By default there is nothing. Neither may wait; those of a `BlockingServer` run on the loop's thread.
        """
        return NOTHING

    def restore(self, checkpoint: Any) -> Any:
        """Take over what the predecessor's `checkpoint` returned. Called after `init`.

        What it returns, unless that is None, counts as the result of `init`.
        """

    def format_status(self, status: Inspection) -> Inspection:
        """What may be seen of this process in crash reports, the log, traces and the console (OTP's `format_status/1`).

        Of what it returns, structure is shown, and the contents that are declared with `shown` or wrapped in `Shown`.
        Leave out or replace what not even that may tell, such as a reason whose text has a secret in it.
        """
        return status

    def set_message(self, message: Any) -> None:
        """Name the message in hand for crash reports, in place of the one from the mailbox that told of it."""
        self._kernel.message = message

    def stop(self) -> None:
        """End with reason `normal` after the messages that are waiting already."""
        self.ref.tell(StopRequest(NORMAL))

    # Pykka's callbacks.

    def on_receive(self, message: Any) -> Any:
        """Handle a message; of an `ask` the result is the answer. May be a coroutine, as all of Pykka's callbacks."""
        log.warning("actor.unexpected_message", actor=str(self), message=describe(message))

    # Pykka's hooks for new kinds of actors, and what else it expects of one.

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Ref:
        """Start a process that is linked to no other; its `init` has run when this returns.

        Raises:
            StartError: if `init` failed.
            Ignored: if `init` declined.
            BlockingOnLoopError: if `init` has to wait for something: `await start(...)` instead.
        """
        return Scheduler.current().invoke(cls._start_now, args, kwargs)

    @classmethod
    def _start_now(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ref:
        cell = _made(cls, args, kwargs)
        cell.process._start_actor_loop()
        if cell.is_starting():
            cell.exit_now(KILLED)
            raise BlockingOnLoopError(
                f"init of {cls.__name__} waits, and start() may not: use `await start({cls.__name__}, ...)`"
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
        """Pykka's name of `ref`."""
        return self._kernel.ref

    @property
    def actor_inbox(self) -> Inbox:  # type: ignore[override]  # Pykka keeps it as an attribute
        """The mailbox as Pykka sees it."""
        return Inbox(self._kernel)

    @property
    def actor_urn(self) -> str:  # type: ignore[override]  # Pykka keeps a string per actor
        """Pykka's name of this process."""
        return self._kernel.ref.actor_urn

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]  # Pykka has an Event per actor
        """A snapshot of whether this process has ended."""
        return self._kernel.ref.actor_stopped

    # What a kind of process fills in. Each may return a coroutine, which is driven to its end.

    def _kernel_init(self) -> Any:
        """Set up; returns `IGNORE`, `Stop` or whatever `_kernel_accept` understands."""
        self._kernel_args = ((), {})
        return self.on_start()

    def _kernel_accept(self, value: Any) -> None:
        """Take what `_kernel_init` returned, beyond `IGNORE` and `Stop`."""

    def _kernel_handle(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        """Handle one message."""
        return self._kernel.serve(message) if type(message) in FOR_KERNEL else self._kernel_take(message)

    def _kernel_take(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        """Handle one message that is not for the kernel."""
        return self._kernel_reply(message, self.on_receive(message.request if isinstance(message, Call) else message))

    def _kernel_reply(self, message: Any, answer: Any) -> Coroutine[Any, Any, Any] | None:
        """Answer `message` now, or return what does it when the answer is there."""
        if type(answer) is CoroutineType:
            return self._kernel_reply_later(message, answer)
        if isinstance(message, Call):
            message.resolve(answer)
        return None

    async def _kernel_reply_later(self, message: Any, answer: Coroutine[Any, Any, Any]) -> None:
        self._kernel_reply(message, await answer)

    def _kernel_attributes(self) -> dict[str, Any]:
        """Its state, for people."""
        return dict(vars(self))

    def _kernel_text(self, value: Any) -> str:
        """A value, for the text of an exception."""
        return describe(value, shows_values=self._kernel.scheduler.shows_values)

    def _kernel_replace(self, attributes: dict[str, Any]) -> None:
        """Have this state in place of the present one."""
        mine = vars(self)
        mine.clear()
        mine.update(attributes)

    def _kernel_died(self) -> None:
        """Let go of what outlives a process."""

    def _kernel_finish(self, reason: ExitReason) -> Any:
        """Run before an end that the process itself chose, or that an exception in it brought."""
        exception = exception_in(reason)
        if exception is not None:
            return self.on_failure(type(exception), exception, exception.__traceback__)
        return self.on_stop()

    def _kernel_serve_proxy(self, message: Any, request: Any) -> Coroutine[Any, Any, Any] | None:
        """Serve `request` of a Pykka proxy, and answer `message`."""
        return self._kernel_reply(message, self._kernel_proxied(request))

    def _kernel_proxied(self, message: Any) -> Any:
        """The value that a Pykka proxy asks for."""
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
        """Deliver a Pykka envelope. From any thread."""
        if envelope.reply_to is None:
            self._cell.scheduler.deliver(self._cell, envelope.message)
        else:
            submit(self._cell, envelope.message, envelope.reply_to)

    def get(self) -> Envelope[Any]:
        """Take the oldest message.

        Raises:
            IndexError: if there is none.
        """
        if not self._cell.mailbox.items:
            raise IndexError("the mailbox is empty")
        return Envelope(self._cell.mailbox.items.popleft())

    def empty(self) -> bool:
        """Tell whether no message waits."""
        return not self._cell.mailbox.items


async def start(cls: type[P], /, *args: Any, name: str | None = None, label: str | None = None, **kwargs: Any) -> Ref:
    """Start a process that is linked to no other, and wait until its `init` is through.

    An `init` whose own parameter is called `name` or `label` gets it by its position.

    Args:
        cls: what it runs; `args` and `kwargs` go to its `init`
        name: registered before `init` runs, free again when the process is dead
        label: what people call it; the name or the class by default

    Raises:
        StartError: if its constructor or `init` failed, or with `AlreadyStarted(ref)` if the name is taken.
        Ignored: if `init` declined.
    """
    return await _spawn(None, cls, args, kwargs, name, label)


async def start_link(
    cls: type[P], /, *args: Any, name: str | None = None, label: str | None = None, **kwargs: Any
) -> Ref:
    """Start a process linked to the calling one, its `parent`. Otherwise as `start`."""
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
    """Start a process as `start_link` does; it gets the checkpoint of `predecessor`, if that left one.

    Raises:
        RuntimeError: outside of a process.
        StartError, Ignored: as `start`; `NOPROC` in a task of a process that has ended.
    """
    caller = Scheduler.current().running
    if caller is None:
        raise RuntimeError("start_link is for callbacks of a process; other code uses start")
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
    # No variable here holds the process itself: the traceback of a failure would, and keep it alive.
    scheduler = Scheduler.current()
    if name is not None and name in scheduler.names:
        raise StartError(AlreadyStarted(scheduler.names[name]))
    cell = _made(cls, args, kwargs)
    if predecessor is not None and cell.start is not None:
        cell.start.predecessor = predecessor
    if label or name:
        cell.process.label = label or name or ""
    if name is not None:
        cell.name = name
        scheduler.names[name] = cell.ref
    if parent is not None:
        cell.parent = parent.ref
        cell.join(parent)
    cell.process._start_actor_loop()
    await cell.booted()
    return cell.ref


def _made(cls: type[P], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Cell:
    """Make an actor; a constructor that fails is a start that fails.

    Raises:
        StartError: whatever it raised, but for a `KeyboardInterrupt`.
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
