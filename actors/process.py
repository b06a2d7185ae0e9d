"""The actor's side of a process: what a subclass fills in, and what it may do in its callbacks.

A process is a Pykka actor that runs on the run queue instead of a thread of its own; the kernel's side is its `Cell`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Mapping
from types import CoroutineType, MappingProxyType
from typing import Any, TypeVar

import pykka
from pykka import messages as pykka_messages
from pykka._envelope import Envelope

from actors.call import PROXY, Call, submit
from actors.cell import Cell, log
from actors.exits import KILLED, NORMAL, AlreadyStarted, Crash, ExitReason, StartError
from actors.future import LoopFuture
from actors.guard import pass_interrupt_on
from actors.mailbox import Mailbox
from actors.ref import NOTHING, Monitor, Ref, StopRequest, Target
from actors.scheduler import BlockingOnLoopError, Scheduler

P = TypeVar("P", bound="Process")

class Process(pykka.Actor):
    """One actor. Subclass `GenServer`; this class itself speaks Pykka (`on_start`, `on_receive`, `on_stop`).

    Its state is its attributes, under any names but those of this class; the kernel's own begin with `_kernel`.
    """

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
        self._kernel.ref.label = label

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
        """What the successor shall have when a supervisor restarts this process after an abnormal end.

        It is called at that end, on whatever state the crash left, and the successor gets it in `restore`, once: if
        that fails, the next attempt begins without. By default there is nothing. Neither may wait; those of a
        `BlockingServer` run on the loop's thread.
        """
        return NOTHING

    def restore(self, carried: Any) -> Any:
        """Take over what the predecessor's `checkpoint` returned. Called after `init`.

        What it returns, unless that is None, counts as the result of `init`.
        """

    def format_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """What of the attributes may be seen in crash reports and by the console (OTP's `format_status/1`).

        Leave out or replace what is secret or long.
        """
        return state

    def stop(self) -> None:
        """End with reason `normal` after the messages that are waiting already."""
        self.ref.tell(StopRequest(NORMAL))

    # Pykka's callbacks.

    def on_receive(self, message: Any) -> Any:
        """Handle a message; of an `ask` the result is the answer. May be a coroutine, as all of Pykka's callbacks."""
        log.warning("actor.unexpected_message", actor=str(self), message=repr(message)[:200])

    # Pykka's hooks for new kinds of actors, and what else it expects of one.

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Ref:
        """Start a process that is linked to nobody; its `init` has run when this returns.

        Raises:
            StartError: if `init` failed.
            Ignored: if `init` declined.
            BlockingOnLoopError: if `init` has to wait for something: `await start(...)` instead.
        """
        return Scheduler.current().invoke(cls._start_now, args, kwargs)

    @classmethod
    def _start_now(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ref:
        process = _made(cls, args, kwargs)
        process._start_actor_loop()
        if process._kernel.is_starting():
            process._kernel.die(KILLED)
            raise BlockingOnLoopError(
                f"init of {cls.__name__} waits, and start() may not: use `await start({cls.__name__}, ...)`"
            )
        process._kernel.raise_refusal()
        return process.ref

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Mailbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return LoopFuture()

    def _start_actor_loop(self) -> None:
        self._kernel.boot()

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
        is_call = isinstance(message, Call)
        request = message.request if is_call else message
        if self._kernel.asks_to_stop(request):
            self._kernel.stop(request.reason)
            return None
        answer = self._kernel_proxied(request) if isinstance(request, PROXY) else self.on_receive(request)
        if type(answer) is CoroutineType:
            return self._kernel_answer(message, answer)
        if is_call:
            message.resolve(answer)
        return None

    async def _kernel_answer(self, message: Any, answer: Coroutine[Any, Any, Any]) -> None:
        value = await answer
        if isinstance(message, Call):
            message.resolve(value)

    def _kernel_attributes(self) -> dict[str, Any]:
        """Its state, for people."""
        return dict(vars(self))

    def _kernel_replace(self, attributes: dict[str, Any]) -> None:
        """Have this state in place of the present one."""
        mine = vars(self)
        mine.clear()
        mine.update(attributes)

    def _kernel_died(self) -> None:
        """Let go of what outlives a process."""

    def _kernel_finish(self, reason: ExitReason) -> Any:
        """Run before an end that the process itself chose, or that an exception in it brought."""
        if isinstance(reason, Crash):
            exception = reason.exception
            return self.on_failure(type(exception), exception, exception.__traceback__)
        return self.on_stop()

    def _kernel_proxied(self, message: Any) -> Any:
        """Serve a message of a Pykka proxy."""
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
    """Start a process that is linked to nobody, and wait until its `init` is through.

    Args:
        cls: what it runs; `args` and `kwargs` go to its `init`
        name: registered before `init` runs, free again when the process is dead
        label: what people call it; the name or the class by default

    Raises:
        StartError: if `init` failed, or with `AlreadyStarted(ref)` if the name is taken.
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
    kwargs: Mapping[str, Any] = MappingProxyType({}),
    *,
    name: str | None = None,
    label: str | None = None,
) -> Ref:
    """Start a process as `start_link` does; it gets the checkpoint of `predecessor`, if that left one.

    `args` and `kwargs` are those of `init`: here a keyword of `init` may have the name of any option.
    """
    caller = Scheduler.current().running
    if caller is None:
        raise RuntimeError("start_link is for callbacks of a process; other code uses start")
    carried: Any = NOTHING
    if predecessor is not None:
        carried, predecessor.carried = predecessor.carried, NOTHING
    return await _spawn(caller, cls, args, kwargs, name, label, carried)


async def _spawn(
    parent: Cell | None,
    cls: type[P],
    args: Any,
    kwargs: Any,
    name: str | None,
    label: str | None,
    carried: Any = NOTHING,
) -> Ref:
    scheduler = Scheduler.current()
    if name is not None and name in scheduler.names:
        raise StartError(AlreadyStarted(scheduler.names[name]))
    process = _made(cls, args, kwargs)
    cell = process._kernel
    cell.carried = carried
    if label or name:
        process.label = label or name or ""
    if name is not None:
        cell.name = name
        scheduler.names[name] = cell.ref
    if parent is not None:
        cell.parent = parent.ref
        cell.join(parent)
    process._start_actor_loop()
    await cell.booted()
    return cell.ref


def _made(cls: type[P], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> P:
    """Call the constructor, which is the actor's code: one that fails is a start that fails."""
    try:
        process = cls(*args, **kwargs)
        if not isinstance(process, Process) or not hasattr(process, "_kernel"):
            raise TypeError(f"the constructor of {cls.__qualname__} did not call super().__init__(*args, **kwargs)")
    except BaseException as exception:  # SystemExit and CancelledError too
        pass_interrupt_on(exception)
        raise StartError(Crash(exception)) from exception
    return process
