"""The kernel's process: a Pykka actor that runs on the run queue instead of a thread of its own.

Everything that changes a process happens on the thread of its event loop. A callback that is a coroutine parks the
process until what it awaits is there: it handles no other message meanwhile, but exit signals reach it.
"""

from __future__ import annotations

import asyncio
import enum
import inspect
import threading
from collections.abc import Callable, Coroutine, Generator
from types import CoroutineType
from typing import Any, Final, TypeVar, cast

import pykka
import structlog
from pykka import messages as pykka_messages
from pykka._envelope import Envelope

from actors.exits import (
    CALLING_SELF,
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    TIMEOUT,
    AlreadyStarted,
    CallExit,
    Down,
    Exit,
    ExitReason,
    Ignored,
    ProcessExit,
    StartError,
    Watcher,
    is_clean,
    reason_of,
)
from actors.mailbox import Mailbox
from actors.ref import Monitor, Ref, StopRequest, Target
from actors.scheduler import BlockingOnLoopError, Scheduler

log = structlog.get_logger("canopy.actors")

P = TypeVar("P", bound="Process")

PROXY = (pykka_messages.ProxyCall, pykka_messages.ProxyGetAttr, pykka_messages.ProxySetAttr)
"""What Pykka's proxies send."""


class Status(enum.Enum):
    """What a process does at this moment."""

    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DEAD = "dead"


class _Phase(enum.Enum):
    """How far the life of a process has come."""

    STARTING = "init has not returned"
    LIVING = "handles messages"
    ENDING = "terminate runs, or ran"


# A member looked up on its class costs 40 ns, and a turn does it often.
_IDLE, _QUEUED, _RUNNING, _WAITING, _DEAD = Status
_STARTING, _LIVING, _ENDING = _Phase


class _Ignore:
    def __repr__(self) -> str:
        return "IGNORE"


IGNORE: Final = _Ignore()
"""Returned by `init`: do not start, and that is no error."""


class Stop:
    """Returned by a callback: end with `reason`, after `terminate`. From `init` it makes the start fail."""

    __slots__ = ("reason", "reply")

    def __init__(self, reason: ExitReason = NORMAL, reply: Any = IGNORE) -> None:
        self.reason = reason
        self.reply = reply


class Process(pykka.Actor):
    """One actor. Subclass `GenServer`; this class itself speaks Pykka (`on_start`, `on_receive`, `on_stop`).

    Attributes a subclass may use in its callbacks:
        ref: this process
        parent: the process that started it with a link, or None
        label: what people call it; it stands in the tree and in the logs
        trap_exit: set to True to get exit signals as `Exit` messages
    """

    # Without Pykka's constructor: a uuid and an Event for each actor would cost more than all the rest.
    __slots__ = (
        "_actor_ref",
        "_args",
        "_awaited",
        "_booted",
        "_callers",
        "_coroutine",
        "_fate",
        "_is_on_stack",
        "_links",
        "_message",
        "_monitored_by",
        "_monitors",
        "_name",
        "_phase",
        "_watchers",
        "handled",
        "mailbox",
        "parent",
        "restarts",
        "scheduler",
        "status",
        "trap_exit",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        scheduler = Scheduler.current()
        self.scheduler = scheduler
        self._actor_ref: Ref = Ref(self, scheduler.next_id(), type(self).__name__)
        self.mailbox: Mailbox = self._create_actor_inbox()
        self.parent: Ref | None = None
        self.trap_exit = False
        self.status = _WAITING
        self.handled = 0
        self.restarts = 0
        self._args = (args, kwargs)
        self._phase = _STARTING
        self._is_on_stack = False
        self._fate: tuple[ExitReason, bool] | None = None  # the reason to end with, and whether terminate runs
        self._message: Any = None
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._awaited: asyncio.Future[Any] | None = None
        self._booted: asyncio.Future[None] | None = None
        self._name: str | None = None
        self._links: set[Process] | None = None
        self._monitors: dict[Monitor, Process] | None = None
        self._monitored_by: dict[Monitor, Process] | None = None
        self._watchers: list[Watcher] | None = None
        self._callers: set[Call] | None = None

    @property
    def ref(self) -> Ref:
        """This process."""
        return self._actor_ref

    @property
    def actor_ref(self) -> Any:
        """Pykka's name of `ref`."""
        return self._actor_ref

    @property
    def actor_inbox(self) -> Inbox:  # type: ignore[override]  # Pykka keeps it as an attribute
        """The mailbox as Pykka sees it."""
        return Inbox(self)

    @property
    def actor_urn(self) -> str:  # type: ignore[override]  # Pykka keeps a string per actor
        """Pykka's name of this process."""
        return self._actor_ref.actor_urn

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]  # Pykka has an Event per actor
        """A snapshot of whether this process has ended."""
        return self._actor_ref.actor_stopped

    @property
    def label(self) -> str:
        """What people call this process."""
        return self._actor_ref.label

    @label.setter
    def label(self, label: str) -> None:
        self._actor_ref.label = label

    def __str__(self) -> str:
        return repr(self._actor_ref)

    # Pykka's hooks for new kinds of actors.

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Ref:
        """Start a process that is linked to nobody; its `init` has run when this returns.

        Raises:
            StartError: if `init` failed.
            Ignored: if `init` declined.
            BlockingOnLoopError: if `init` has to wait for something: `await start(...)` instead.
        """
        scheduler = Scheduler.current()
        return scheduler.invoke(cls._start_now, args, kwargs)

    @classmethod
    def _start_now(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ref:
        process = cls(*args, **kwargs)
        process._start_actor_loop()
        if process._phase is _STARTING:
            process._die(KILLED)
            raise BlockingOnLoopError(
                f"init of {cls.__name__} waits, and start() may not: use `await start({cls.__name__}, ...)`"
            )
        process._raise_if_not_booted()
        return process.ref

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Mailbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return LoopFuture()

    def _start_actor_loop(self) -> None:
        """Enter the process table and run `init`, up to its first wait."""
        self.scheduler.processes[self.ref.id] = self
        outer, self.scheduler.running = self.scheduler.running, self
        self._is_on_stack = True
        try:
            self._run(self._initialise)
        finally:
            self.scheduler.running = outer
            self._is_on_stack = False
        self._settle_down()

    # What a kind of process fills in. Each may return a coroutine, which is driven to its end.

    def _initialise(self) -> Any:
        return self.on_start()

    def _handle(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        """Handle one message."""
        match message:
            case StopRequest():
                self._stop_self(message.reason)
                return None
            case Call():
                self._answer(message)
            case _ if isinstance(message, PROXY):
                self._proxied(message)
            case _:
                self.on_receive(message)
        return None

    def _answer(self, call: Call) -> None:
        request = call.request
        if isinstance(request, StopRequest):
            self._stop_self(request.reason)
            call.resolve(True)
        else:
            call.resolve(self._proxied(request) if isinstance(request, PROXY) else self.on_receive(request))

    def _finish(self, reason: ExitReason) -> Any:
        """Run before an end that the process itself chose, or that an exception in it brought."""
        return self.on_stop()

    def _proxied(self, message: Any) -> Any:
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

    def on_receive(self, message: Any) -> Any:
        """Handle a message; of an `ask` the result is the answer."""
        log.warning("actor.unexpected_message", actor=str(self), message=repr(message)[:200])

    def stop(self) -> None:
        """End with reason `normal` after the messages that are waiting already."""
        self.ref.tell(StopRequest(NORMAL))

    # What a process may do to others, and to itself, in its callbacks.

    def link(self, target: Target) -> None:
        """Link this process and `target`: when one ends, the other gets an exit signal with its reason.

        Linking twice is linking once. A dead target sends `NOPROC` to a process that traps exits.

        Raises:
            ProcessExit: `NOPROC`, if the target is dead and this process does not trap exits.
        """
        self.scheduler.invoke(self._link, target)

    def _link(self, target: Target) -> None:
        ref = self.scheduler.whereis(target)
        peer = None if ref is None else ref._process
        if peer is None:
            if not self.trap_exit:
                raise ProcessExit(NOPROC)
            self.receive(Exit(ref, NOPROC))
        elif peer is not self:
            _join(self, peer)

    def unlink(self, target: Target) -> None:
        """Remove the link with `target`, if there is one; no exit signal of it comes any more."""
        self.scheduler.invoke(self._unlink, target)

    def _unlink(self, target: Target) -> None:
        ref = self.scheduler.whereis(target)
        if ref is not None and ref._process is not None:
            _part(self, ref._process)

    def monitor(self, target: Target) -> Monitor:
        """Get one `Down` message when `target` ends, at once with `NOPROC` if it is dead. Monitors pile up."""
        return self.scheduler.invoke(self._monitor, target)

    def _monitor(self, target: Target) -> Monitor:
        monitor = Monitor(self, target)
        ref = self.scheduler.whereis(target)
        watched = None if ref is None else ref._process
        if watched is None:
            self.receive(Down(monitor, target, NOPROC))
            return monitor
        if watched._monitored_by is None:
            watched._monitored_by = {}
        watched._monitored_by[monitor] = self
        if self._monitors is None:
            self._monitors = {}
        self._monitors[monitor] = watched
        return monitor

    def demonitor(self, monitor: Monitor, *, flush: bool = False) -> None:
        """End `monitor`; with `flush` a `Down` of it that is in the mailbox already is removed as well."""
        self.scheduler.invoke(self._demonitor, monitor, flush)

    def _demonitor(self, monitor: Monitor, flush: bool) -> None:
        watched = self._monitors.pop(monitor, None) if self._monitors else None
        if watched is not None and watched._monitored_by is not None:
            watched._monitored_by.pop(monitor, None)
        elif flush:
            self.mailbox.discard(lambda message: isinstance(message, Down) and message.monitor is monitor)

    # Receiving.

    def receive(self, message: Any) -> None:
        """Put `message` into the mailbox and have it handled. On the loop's thread only: others use `ref.tell`."""
        status = self.status
        if status is _DEAD:
            if type(message) is Call:
                message.reject(NOPROC)
            return
        self.mailbox.append(message)
        if status is _IDLE:
            self.status = _QUEUED
            self.scheduler.enqueue(self)

    def exit_signal(self, sender: Ref | None, reason: ExitReason, is_link: bool) -> None:
        """Take an exit signal: die of it, get it as a message, or ignore it (Erlang processes: receiving exit signals).

        `kill` is special only when it was sent: through a link it is a reason like others.
        """
        if self.status is _DEAD:
            return
        if reason == KILL and not is_link:
            self._doom(KILLED)
        elif self.trap_exit:
            self.receive(Exit(sender, reason))
        elif reason != NORMAL or sender is self.ref:
            self._doom(reason)

    # A turn.

    def turn(self, budget: int) -> None:
        """Handle at most `budget` messages. Called by the scheduler only."""
        if self.status is _DEAD:
            return
        self.status = _RUNNING
        self._is_on_stack = True
        mailbox = self.mailbox
        if mailbox.is_high():
            log.warning("actor.mailbox_high", actor=str(self), waiting=len(mailbox))
        if self._coroutine is not None:
            self._drive(self._coroutine)
        handle = self._handle
        while budget and self._fate is None and self._coroutine is None and mailbox.items:
            budget -= 1
            self.handled += 1
            self._message = message = mailbox.items.popleft()
            try:
                outcome = handle(message)
            except BaseException as exception:  # noqa: BLE001  # the kernel's turn: it ends this process alone
                self._failed(exception)
            else:
                if outcome is not None:
                    self._drive(outcome)
        self._is_on_stack = False
        self._settle_down()

    def _settle_down(self) -> None:
        """Leave the stack: end, wait, go to the back of the queue or to sleep."""
        if self._fate is not None:
            reason, runs_terminate = self._fate
            if not runs_terminate or self._phase is _STARTING:
                self._die(reason)
            elif self._phase is _LIVING:
                self._terminate(reason)
        if self.status is _DEAD:
            return
        if self._coroutine is not None:
            self.status = _WAITING
        elif self.mailbox.items:
            self.status = _QUEUED
            self.scheduler.enqueue(self)
        else:
            self.status = _IDLE
            self.mailbox.items = None

    def _run(self, callback: Callable[..., Any], *args: Any) -> None:
        """Run `init` or `terminate`; their end is in `_completed` and `_failed`."""
        try:
            outcome = callback(*args)
        except BaseException as exception:  # noqa: BLE001  # as in a turn
            self._failed(exception)
        else:
            if type(outcome) is CoroutineType:
                self._coroutine = outcome
                self.scheduler.loop.call_soon(self._wake, None)
            else:
                self._completed(outcome)

    def _drive(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run `coroutine` up to its next wait, or to its end."""
        self._awaited = None
        try:
            awaited = coroutine.send(None)
        except StopIteration as end:
            self._coroutine = None
            self._completed(end.value)
        except BaseException as exception:  # noqa: BLE001  # as in a turn
            self._coroutine = None
            self._failed(exception)
        else:
            self._coroutine = coroutine
            if awaited is None:  # asyncio.sleep(0)
                self.scheduler.loop.call_soon(self._wake, None)
            elif getattr(awaited, "_asyncio_future_blocking", None):
                self._awaited = awaited
                awaited._asyncio_future_blocking = False
                awaited.add_done_callback(self._wake)
            else:
                self._coroutine = None
                coroutine.close()
                self._failed(TypeError(f"a callback awaited {awaited!r}, which is no asyncio future"))

    def _wake(self, awaited: asyncio.Future[Any] | None) -> None:
        """What the coroutine awaited is there: give it a turn, unless the process was killed meanwhile."""
        if self.status is _DEAD or self._coroutine is None or awaited is not self._awaited:
            return
        self.status = _QUEUED
        self.scheduler.enqueue(self)

    def _completed(self, value: Any) -> None:
        """A callback came to its end."""
        if self._phase is _STARTING:
            self._initialised(value)
        elif self._phase is _ENDING and self._fate is not None:
            self._die(self._fate[0])

    def _failed(self, exception: BaseException) -> None:
        """An exception left a callback."""
        reason = reason_of(exception)
        if self._phase is _STARTING:
            self._refuse(StartError(reason), exception)
        elif self._phase is _ENDING:
            self._report(reason)
            self._die(reason)
        elif self._fate is None:
            self._fate = (reason, True)

    # Beginning.

    def _initialised(self, value: Any) -> None:
        if value is IGNORE:
            self._refuse(Ignored())
        elif isinstance(value, Stop):
            self._refuse(StartError(value.reason))
        else:
            self._phase = _LIVING
            self._accept_initial(value)
            if self._booted is not None:
                self._booted.set_result(None)

    def _accept_initial(self, value: Any) -> None:
        """What `init` returned, beyond `IGNORE` and `Stop`."""

    def _refuse(self, error: StartError | Ignored, cause: BaseException | None = None) -> None:
        """Die before having lived; whoever started this process learns why from `error` alone."""
        error.__cause__ = cause
        if self.parent is not None and self.parent._process is not None:
            _part(self, self.parent._process)
        if self._booted is None:
            self._booted = self.scheduler.loop.create_future()
        if not self._booted.done():
            self._booted.set_exception(error)
            self._booted.exception()  # it is retrieved by whoever awaits the start, who may be dead by now
        self._die(error.reason if isinstance(error, StartError) else NORMAL)

    def _raise_if_not_booted(self) -> None:
        if self._booted is not None and self._booted.done():
            self._booted.result()

    # Ending.

    def _stop_self(self, reason: ExitReason) -> None:
        """End with `reason` when the callback is over; `terminate` runs."""
        if self._fate is None:
            self._fate = (reason, True)

    def _doom(self, reason: ExitReason) -> None:
        """Die without `terminate`: at once, or if this process is running, when its callback returns or waits."""
        if self._is_on_stack:
            self._fate = (reason, False)
        else:
            self._die(reason)

    def _terminate(self, reason: ExitReason) -> None:
        if not is_clean(reason):
            self._report(reason)
        self._phase = _ENDING
        outer, self.scheduler.running = self.scheduler.running, self
        self._is_on_stack = True
        try:
            self._run(self._finish, reason)
        finally:
            self.scheduler.running = outer
            self._is_on_stack = False

    def _report(self, reason: ExitReason) -> None:
        exception = getattr(reason, "exception", None)
        log.error(
            "actor.crashed", actor=str(self), reason=str(reason), message=repr(self._message)[:200], exc_info=exception
        )

    def _die(self, reason: ExitReason) -> None:
        """Be dead at once: free the names, then tell callers, links, monitors and watchers."""
        if self.status is _DEAD:
            return
        was_starting = self._phase is _STARTING
        self.status = _DEAD
        self._phase = _ENDING
        scheduler = self.scheduler
        if self._name is not None:
            scheduler.names.pop(self._name, None)
        scheduler.processes.pop(self.ref.id, None)
        self.ref._process = None
        if was_starting and self._booted is not None and not self._booted.done():
            self._booted.set_exception(StartError(reason))
            self._booted.exception()
        self._abandon_coroutine()
        self.mailbox.items = None
        scheduler.signal(self._announce, reason)

    def _abandon_coroutine(self) -> None:
        """Unwind what the process was waiting in; its `finally` blocks run, and may not wait."""
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is None or inspect.getcoroutinestate(cast(Any, coroutine)) == inspect.CORO_RUNNING:
            return
        try:
            coroutine.close()
        except BaseException as exception:  # noqa: BLE001  # the process is dead already
            log.warning("actor.cleanup_failed", actor=str(self), error=repr(exception))

    def _announce(self, reason: ExitReason) -> None:
        signal, ref = self.scheduler.signal, self.ref
        for call in self._callers or ():
            call.reject(reason)
        for peer in self._links or ():
            if peer._links is not None:
                peer._links.discard(self)
            signal(peer.exit_signal, ref, reason, True)
        for monitor, watcher in (self._monitored_by or {}).items():
            if watcher._monitors is not None:
                watcher._monitors.pop(monitor, None)
            watcher.receive(Down(monitor, monitor.target, reason))
        for monitor, watched in (self._monitors or {}).items():
            if watched._monitored_by is not None:
                watched._monitored_by.pop(monitor, None)
        for watch in self._watchers or ():
            watch(ref, reason)
        self._links = self._monitored_by = self._monitors = self._watchers = self._callers = None


class Call:
    """A request that waits for its answer; also the address of the reply (OTP's `From`)."""

    __slots__ = ("_answer", "caller", "request", "scheduler", "server")

    def __init__(
        self,
        request: Any,
        answer: asyncio.Future[Any] | pykka.Future[Any],
        server: Ref,
        scheduler: Scheduler,
    ) -> None:
        self.request = request
        self.server = server
        self.scheduler = scheduler
        self.caller: Ref | None = None
        self._answer: asyncio.Future[Any] | pykka.Future[Any] | None = answer

    def __repr__(self) -> str:
        return f"Call({self.request!r})"

    def resolve(self, value: Any) -> None:
        """Answer with `value`; too late or a second time it is dropped."""
        answer = self._close()
        if answer is None:
            return
        if isinstance(answer, pykka.Future):
            answer.set(value)
        elif not answer.done():
            answer.set_result(value)

    def reject(self, reason: ExitReason) -> None:
        """Let the call fail with `CallExit(reason)`."""
        answer = self._close()
        if answer is None:
            return
        error = CallExit(reason, self.server)
        error.__cause__ = getattr(reason, "exception", None)
        if isinstance(answer, pykka.Future):
            answer.set_exception((CallExit, error, None))
        elif not answer.done():
            answer.set_exception(error)

    def _close(self) -> asyncio.Future[Any] | pykka.Future[Any] | None:
        answer, self._answer = self._answer, None
        server = self.server._process
        if server is not None and server._callers is not None:
            server._callers.discard(self)
        return answer


class Inbox:
    """The mailbox of one process as Pykka sees it."""

    __slots__ = ("_process",)

    def __init__(self, process: Process) -> None:
        self._process = process

    def put(self, envelope: Envelope[Any], /) -> None:
        """Deliver a Pykka envelope. From any thread."""
        process = self._process
        if envelope.reply_to is None:
            process.scheduler.deliver(process, envelope.message)
        else:
            request = Call(envelope.message, envelope.reply_to, process.ref, process.scheduler)
            process.scheduler.deliver(process, request)

    def get(self) -> Envelope[Any]:
        """Take the oldest message.

        Raises:
            IndexError: if there is none.
        """
        if not self._process.mailbox.items:
            raise IndexError("the mailbox is empty")
        return Envelope(self._process.mailbox.items.popleft())

    def empty(self) -> bool:
        """Tell whether no message waits."""
        return not self._process.mailbox.items


class LoopFuture(pykka.ThreadingFuture[Any]):
    """Pykka's future, which refuses to block the thread that has to answer and can be awaited there instead."""

    def __init__(self) -> None:
        super().__init__()
        self._sources: tuple[LoopFuture, ...] = ()
        self._waiters: list[Callable[[], object]] = []

    def get(self, *, timeout: float | None = None) -> Any:
        """Wait for the value, in seconds at most.

        Raises:
            BlockingOnLoopError: on a thread that runs an event loop, unless the value is there already.
        """
        if self._result is None and self._get_hook is None and _is_loop_thread():
            raise BlockingOnLoopError("this would block the event loop: use `await call(ref, message)` instead")
        return super().get(timeout=timeout)

    def set(self, value: Any = None) -> None:
        """Set the value and wake those who wait."""
        super().set(value)
        self._wake()

    def set_exception(self, exc_info: Any = None) -> None:
        """Set an exception and wake those who wait."""
        super().set_exception(exc_info)
        self._wake()

    def map(self, func: Callable[[Any], Any]) -> pykka.Future[Any]:
        """Pykka's `map`; the result can be awaited too."""
        mapped = super().map(func)
        mapped._sources = (self,)  # type: ignore[attr-defined]  # it is of this class
        return mapped

    def __await__(self) -> Generator[Any, None, Any]:
        for future in self._sources or (self,):
            yield from future._arrival().__await__()
        return self.get()

    async def _arrival(self) -> None:
        loop = asyncio.get_running_loop()
        arrival: asyncio.Future[None] = loop.create_future()

        def note() -> None:
            if not arrival.done():
                arrival.set_result(None)

        with self._condition:
            if self._result is not None or self._get_hook is not None:
                return
            self._waiters.append(lambda: loop.call_soon_threadsafe(note))
        await arrival

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()


def _is_loop_thread() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _join(one: Process, other: Process) -> None:
    for process, peer in ((one, other), (other, one)):
        if process._links is None:
            process._links = set()
        process._links.add(peer)


def _part(one: Process, other: Process) -> None:
    if one._links is not None:
        one._links.discard(other)
    if other._links is not None:
        other._links.discard(one)


# What plain functions do with processes.


async def start(cls: type[P], *args: Any, name: str | None = None, label: str | None = None, **kwargs: Any) -> Ref:
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
    cls: type[P], *args: Any, name: str | None = None, label: str | None = None, **kwargs: Any
) -> Ref:
    """Start a process linked to the calling one, its `parent`. Otherwise as `start`."""
    caller = Scheduler.current().running
    if caller is None:
        raise RuntimeError("start_link is for callbacks of a process; other code uses start")
    return await _spawn(caller, cls, args, kwargs, name, label)


async def _spawn(
    parent: Process | None, cls: type[P], args: Any, kwargs: Any, name: str | None, label: str | None
) -> Ref:
    scheduler = Scheduler.current()
    if name is not None and name in scheduler.names:
        raise StartError(AlreadyStarted(scheduler.names[name]))
    process = cls(*args, **kwargs)
    if label or name:
        process.label = label or name or ""
    if name is not None:
        process._name = name
        scheduler.names[name] = process.ref
    if parent is not None:
        process.parent = parent.ref
        _join(process, parent)
    process._start_actor_loop()
    if process._phase is _STARTING:
        process._booted = scheduler.loop.create_future()
        await process._booted
    process._raise_if_not_booted()
    return process.ref


async def call(target: Target, request: Any, timeout: float | None = 5.0) -> Any:
    """Send `request` and wait for the reply, `timeout` seconds at most (None: for ever).

    Raises:
        CallExit: `NOPROC` if nobody is there, `TIMEOUT`, `CALLING_SELF`, or the reason the server ended with.
            Not caught in a process, it ends that process with `CallFailure`.
    """
    scheduler = Scheduler.current()
    ref = scheduler.whereis(target)
    server = None if ref is None else ref._process
    if ref is None or server is None:
        raise CallExit(NOPROC, target)
    caller = scheduler.running
    if caller is server:
        raise CallExit(CALLING_SELF, target)
    answer: asyncio.Future[Any] = scheduler.loop.create_future()
    request = Call(request, answer, ref, scheduler)
    if caller is not None:
        request.caller = caller.ref
    if server._callers is None:
        server._callers = {request}
    else:
        server._callers.add(request)
    server.receive(request)
    if timeout is None:
        return await answer
    deadline = scheduler.loop.call_later(timeout, request.reject, TIMEOUT)
    try:
        return await answer
    finally:
        deadline.cancel()


def ask(ref: Ref, message: Any) -> pykka.Future[Any]:
    """Send `message` as a call from any thread; the future holds the reply or raises `CallExit`."""
    future = LoopFuture()
    process = ref._process
    if process is None:
        future.set_exception((CallExit, CallExit(NOPROC, ref), None))
        return future
    request = Call(message, future, ref, process.scheduler)
    if process.scheduler.on_thread():
        _submit(request)
    else:
        process.scheduler.post(_submit, request)
    return future


def _submit(request: Call) -> None:
    server = request.server._process
    if server is None:
        request.reject(NOPROC)
        return
    if server._callers is None:
        server._callers = set()
    server._callers.add(request)
    server.receive(request)


async def stop(target: Target, reason: ExitReason = NORMAL, timeout: float | None = None) -> None:
    """Ask a process to end with `reason` after what it has to do already, and wait until it is dead.

    Raises:
        CallExit: `NOPROC`, `TIMEOUT`, or the reason it really ended with.
    """
    ref = Scheduler.current().whereis(target)
    if ref is None or not ref.is_alive():
        raise CallExit(NOPROC, target)
    ended = down(ref)
    ref.tell(StopRequest(reason))
    await asyncio.wait((ended,), timeout=timeout)
    if not ended.done():
        raise CallExit(TIMEOUT, target)
    if ended.result() != reason:
        raise CallExit(ended.result(), target)


def send(target: Target, message: Any) -> None:
    """Send a plain message; to the dead or to a free name it is silently dropped."""
    ref = Scheduler.current().whereis(target)
    if ref is not None:
        ref.tell(message)


def send_exit(target: Target, reason: ExitReason) -> None:
    """Send an exit signal (Erlang's `exit/2`); to the dead it is silently dropped. `KILL` cannot be trapped."""
    scheduler = Scheduler.current()
    scheduler.invoke(_send_exit, scheduler, target, reason)


def _send_exit(scheduler: Scheduler, target: Target, reason: ExitReason) -> None:
    ref = scheduler.whereis(target)
    process = None if ref is None else ref._process
    if process is not None:
        sender = None if scheduler.running is None else scheduler.running.ref
        scheduler.signal(process.exit_signal, sender, reason, False)


def watch(ref: Ref, watcher: Watcher) -> Callable[[], None]:
    """Have `watcher(ref, reason)` called at the end of a process, for code that is no process itself.

    At once with `NOPROC` if it is dead. Returns a function that ends the watch.
    """
    process = ref._process
    if process is None:
        watcher(ref, NOPROC)
        return lambda: None
    if process._watchers is None:
        process._watchers = []
    watchers = process._watchers
    watchers.append(watcher)

    def unwatch() -> None:
        if watcher in watchers:
            watchers.remove(watcher)

    return unwatch


def down(ref: Ref) -> asyncio.Future[ExitReason]:
    """The end of a process, to be awaited: its reason, or `NOPROC` if it is dead already."""
    ended: asyncio.Future[ExitReason] = Scheduler.current().loop.create_future()

    def note(_: Ref, reason: ExitReason) -> None:
        if not ended.done():
            ended.set_result(reason)

    watch(ref, note)
    return ended


def register(name: str, target: Ref) -> None:
    """Give a living process a name; it is free again when the process is dead.

    Raises:
        ValueError: if the name is taken, the process is dead, or it has a name already.
    """
    names = Scheduler.current().names
    process = target._process
    if name in names:
        raise ValueError(f"the name {name!r} is held by {names[name]!r}")
    if process is None:
        raise ValueError(f"{target!r} is dead and cannot be named {name!r}")
    if process._name is not None:
        raise ValueError(f"{target!r} has the name {process._name!r} already")
    process._name = name
    names[name] = target


def unregister(name: str) -> None:
    """Free a name.

    Raises:
        ValueError: if nobody holds it.
    """
    ref = Scheduler.current().names.pop(name, None)
    if ref is None:
        raise ValueError(f"nobody holds the name {name!r}")
    if ref._process is not None:
        ref._process._name = None


def whereis(target: Target) -> Ref | None:
    """The process that holds a name now, or None."""
    return Scheduler.current().whereis(target)
