"""Requests with a reply: `call` from coroutines, `ask` from any thread."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pykka
from pykka import messages as pykka_messages

from actors.exits import CALLING_SELF, KILLED, NOPROC, TIMEOUT, ExitReason
from actors.failures import CallExit, exception_in
from actors.guard import attempt
from actors.kernel.deadlines import Entry
from actors.kernel.future import LoopFuture
from actors.kernel.ref import Ref, StopRequest, Target
from actors.kernel.scheduler import RUNNING, ProcessThread, Scheduler
from actors.kernel.threads import refuse_to_block

if TYPE_CHECKING:
    from actors.kernel.cell import Cell


PROXY = (pykka_messages.ProxyCall, pykka_messages.ProxyGetAttr, pykka_messages.ProxySetAttr)
"""The messages of Pykka's proxies."""


FAR: Final = 1e12
"""Seconds. Only timeouts of at least this need a closer check: they may be infinite, or exceed a float."""


class Call:
    """A request and the asyncio future of its reply; also the address of the reply (OTP's `From`).

    Open while `_answer` is set. `resolve`, `reject` and `withdraw` close it, each at most once.

    Attributes:
        request: the request
        server: the process that has to reply
        scheduler: the scheduler of the server
        caller: the process whose callback is blocked on the reply, if any
        deadline: its entry in `Deadlines`, if it has a timeout
    """

    __slots__ = ("_answer", "caller", "deadline", "request", "scheduler", "server")
    __match_args__ = ("request",)

    def __init__(self, request: Any, answer: Any, server: Ref, scheduler: Scheduler) -> None:
        self.request = request
        self.server = server
        self.scheduler = scheduler
        self.caller: Ref | None = None
        self.deadline: Entry | None = None
        self._answer = answer

    def __repr__(self) -> str:
        return f"Call({self.request!r})"

    def submit(self, server: Cell) -> None:
        """Put the call into the mailbox of `server`; from now on it fails if the server exits."""
        if server.callers is None:
            server.callers = {}
        server.callers[self] = None
        server.receive(self)

    def resolve(self, value: Any) -> None:
        """Reply with `value`, unless the call is closed."""
        answer = self._close()
        if answer is not None:
            self._set(answer, value)

    def reject(self, reason: ExitReason) -> None:
        """Fail the call with `CallExit(reason)`. A request to stop succeeds instead, since the server has exited."""
        if type(self.request) is StopRequest:
            self.resolve(True)
            return
        answer = self._close()
        if answer is not None:
            error = CallExit(reason, self.server)
            error.__cause__ = exception_in(reason)
            self._set_error(answer, error)

    def bounce(self) -> None:
        """Close a call to a process that was already dead."""
        if type(self.request) is StopRequest:
            self.resolve(False)
        else:
            self.reject(NOPROC)

    def withdraw(self) -> None:
        """Make the server forget a call whose caller no longer waits; the request is still handled."""
        self._close()

    def is_closed(self) -> bool:
        """Return whether the call was answered, failed or withdrawn."""
        return self._answer is None

    def _close(self) -> Any:
        answer, self._answer = self._answer, None
        server = self.server._cell
        if server is not None and server.callers is not None:
            server.callers.pop(self, None)
        if self.deadline is not None:
            self.deadline[2] = None
        return answer

    # What depends on the kind of future.

    def is_given_up(self) -> bool:
        """Return whether the caller no longer waits for the reply."""
        return self._answer is None or self._answer.done()

    def when_answered(self, tell: Callable[[Any], object]) -> None:
        """Call `tell(value)` with the reply, to observe it, unless the call fails."""
        if self._answer is not None:
            self._answer.add_done_callback(lambda done: None if _has_failed(done) else tell(done.result()))

    def _set(self, answer: Any, value: Any) -> None:
        if not answer.done():
            answer.set_result(value)

    def _set_error(self, answer: Any, error: Exception) -> None:
        if not answer.done():
            answer.set_exception(error)


class Ask(Call):
    """A call whose reply is a Pykka future: made by `ask`, from any thread."""

    __slots__ = ()

    def is_given_up(self) -> bool:
        return self._answer is None

    def when_answered(self, tell: Callable[[Any], object]) -> None:
        if isinstance(self._answer, LoopFuture):
            self._answer.when_set(tell)

    def refuse(self) -> None:
        """Release a thread that would wait in vain: the loop is closed, or the thread's own process was killed."""
        answer = self._close()
        if answer is not None:
            scheduler = self.scheduler
            self._set_error(answer, scheduler.gone_error() if scheduler.is_gone() else CallExit(KILLED, self.server))

    # The future may be of a foreign class, or set already: neither is a fault of the server.

    def _set(self, answer: Any, value: Any) -> None:
        attempt(answer.set, value, default=None)

    def _set_error(self, answer: Any, error: Exception) -> None:
        attempt(answer.set_exception, (type(error), error, None), default=None)


class KernelAsk(Ask):
    """A call that the kernel serves: a request to stop, or a message from a Pykka proxy."""

    __slots__ = ()


def _has_failed(answer: asyncio.Future[Any]) -> bool:
    return answer.cancelled() or answer.exception() is not None


async def call(target: Target, request: Any, timeout: float | None = 5.0) -> Any:
    """Send `request` and wait at most `timeout` seconds for the reply (None or infinity: no limit).

    Raises:
        CallExit: `NOPROC` if there is no such process, `TIMEOUT`, `CALLING_SELF`, or the exit reason of the server.
            If a process does not catch it, that process exits with `CallFailure`.
        ValueError, TypeError: if `timeout` is not a number of at least 0; nothing is sent.
        RuntimeError: if the process lives on another event loop that is not running.
    """
    scheduler = Scheduler.current()
    ref = target if type(target) is Ref else scheduler.whereis(target)
    if ref is None or (server := ref._cell) is None:
        raise CallExit(NOPROC, target)
    if timeout is not None and not 0 <= timeout < FAR:
        timeout = checked_timeout(timeout)
    if server.scheduler is not scheduler:
        return await _call_across(ref, request, timeout)
    call = Call(request, scheduler.loop.create_future(), ref, scheduler)
    caller = RUNNING.get()
    if caller is not None and caller.is_running():  # a task of the process would not block its callbacks
        if caller is server:
            raise CallExit(CALLING_SELF, target)
        call.caller = caller.ref
    if timeout is not None:  # before anything is sent: this raises for a number such as a Decimal
        scheduler.deadlines.add(call, timeout)
    call.submit(server)
    answer: asyncio.Future[Any] = call._answer
    try:
        return await answer
    except BaseException:
        if call._answer is not None:  # the caller was killed or cancelled
            call.withdraw()
        elif answer.done() and not answer.cancelled():
            answer.exception()  # the server exited at the same moment: keep asyncio from logging an unread exception
        raise


async def _call_across(ref: Ref, request: Any, timeout: float | None) -> Any:
    """Call a process on another event loop, as if from another thread.

    Raises:
        RuntimeError: if that loop is not running.
    """
    home = ref._cell
    if home is not None and not home.scheduler.loop.is_running():
        raise RuntimeError(f"{ref!r} lives on another event loop, which is not running")
    future, call = _send_ask(ref, request)
    try:
        async with asyncio.timeout(timeout):
            return await future
    except TimeoutError:
        raise CallExit(TIMEOUT, ref) from None
    finally:
        if call is not None:
            call.scheduler.post(call.withdraw)


def checked_timeout(timeout: float | None) -> float | None:
    """Return `timeout` in seconds, or None if it is infinite.

    Raises:
        ValueError, TypeError: if it is not a number of at least 0.
    """
    if timeout is None:
        return None
    if not timeout >= 0:
        raise ValueError(f"timeout must be a number of seconds of at least 0, or None, got {timeout!r}")
    try:
        seconds = float(timeout)
    except OverflowError:  # an integer that exceeds a float
        return None
    return None if seconds == math.inf else seconds


def ask(ref: Ref, message: Any) -> pykka.Future[Any]:
    """Send `message` as a call; return a future that holds the reply or raises `CallExit`. Thread-safe."""
    return _send_ask(ref, message)[0]


def ask_and_wait(ref: Ref, message: Any, timeout: float | None) -> Any:
    """Send `message` as a call from a thread that may block, and wait at most `timeout` seconds for the reply.

    Raises:
        BlockingOnLoopError: if this thread runs an event loop; nothing is sent.
        CallExit, pykka.Timeout, RuntimeError, ValueError: see `Ref.ask`.
    """
    refuse_to_block("use `await call(ref, message)` instead")
    timeout = checked_timeout(timeout)
    thread = threading.current_thread()
    own = thread if isinstance(thread, ProcessThread) else None
    if own is not None and own.scheduler.running is ref._cell is not None:
        raise CallExit(CALLING_SELF, ref)
    future, call = _send_ask(ref, message)
    if call is None:
        return future.get()
    if own is not None:
        own.pending_ask = call
        if own.is_fenced:  # the process was killed before `pending_ask` was set, so the fence did not refuse the call
            call.refuse()
    try:
        return future.get(timeout=timeout)
    except pykka.Timeout:
        call.scheduler.post(call.withdraw)
        raise
    finally:
        if own is not None:
            own.pending_ask = None


def _send_ask(ref: Ref, message: Any) -> tuple[pykka.Future[Any], Ask | None]:
    """Send `message` as a call; return its future, and the call unless the process was already dead."""
    server = ref._cell
    if server is not None:
        future = LoopFuture(server.scheduler)
        return future, submit(server, message, future)
    future = LoopFuture()
    if type(message) is StopRequest:
        future.set(False)
    else:
        future.set_exception((CallExit, CallExit(NOPROC, ref), None))
    return future, None


def submit(server: Cell, message: Any, future: pykka.Future[Any]) -> Ask:
    """Send `message` as a call whose reply goes to `future`. Thread-safe."""
    kind = KernelAsk if isinstance(message, (StopRequest, *PROXY)) else Ask
    call = kind(message, future, server.ref, server.scheduler)
    if server.scheduler.on_thread():
        _submit(call)
    else:
        server.scheduler.post(_submit, call, dropped=call.refuse)
    return call


def _submit(call: Ask) -> None:
    server = call.server._cell
    if server is None:
        call.bounce()
    else:
        call.submit(server)
