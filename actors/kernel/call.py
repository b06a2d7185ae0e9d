"""Requests that are answered: `call` from coroutines, `ask` from any thread."""

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
"""What Pykka's proxies send."""


FAR: Final = 1e12
"""Seconds from which on a timeout is looked at more closely: it may be infinite, or an integer beyond all clocks."""


class Call:
    """A request that waits for its answer, an asyncio future; also the address of the reply (OTP's `From`).

    Attributes:
        request: what is asked
        server: who is asked
        scheduler: where the server runs
        caller: the process whose callback waits for the answer, if one does
        deadline: its entry among the deadlines
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
        """Put the call into the mailbox of `server`, and have it fail when the server ends."""
        if server.callers is None:
            server.callers = {}
        server.callers[self] = None
        server.receive(self)

    def resolve(self, value: Any) -> None:
        """Answer with `value`; too late or a second time it is dropped."""
        answer = self._close()
        if answer is not None:
            self._set(answer, value)

    def reject(self, reason: ExitReason) -> None:
        """Let the call fail with `CallExit(reason)`; to the wish that it should end, the end is an answer."""
        if type(self.request) is StopRequest:
            self.resolve(True)
            return
        answer = self._close()
        if answer is not None:
            error = CallExit(reason, self.server)
            error.__cause__ = exception_in(reason)
            self._set_error(answer, error)

    def bounce(self) -> None:
        """There is no process to answer."""
        if type(self.request) is StopRequest:
            self.resolve(False)
        else:
            self.reject(NOPROC)

    def withdraw(self) -> None:
        """Let the server forget a call for whose answer its caller waits no longer; the request is handled."""
        self._close()

    def is_closed(self) -> bool:
        """Tell whether it has been answered, has failed or was withdrawn."""
        return self._answer is None

    def _close(self) -> Any:
        answer, self._answer = self._answer, None
        server = self.server._cell
        if server is not None and server.callers is not None:
            server.callers.pop(self, None)
        if self.deadline is not None:
            self.deadline[2] = None
        return answer

    # What depends on the kind of answer.

    def is_given_up(self) -> bool:
        """Tell whether the caller waits for the answer no longer."""
        return self._answer is None or self._answer.done()

    def when_answered(self, tell: Callable[[Any], object]) -> None:
        """Have `tell(value)` called with the answer, to observe it; not if the call fails."""
        if self._answer is not None:
            self._answer.add_done_callback(lambda done: None if _has_failed(done) else tell(done.result()))

    def _set(self, answer: Any, value: Any) -> None:
        if not answer.done():
            answer.set_result(value)

    def _set_error(self, answer: Any, error: Exception) -> None:
        if not answer.done():
            answer.set_exception(error)


class Ask(Call):
    """A call whose answer is a Pykka future: made by `ask`, from any thread."""

    __slots__ = ()

    def is_given_up(self) -> bool:
        return self._answer is None

    def when_answered(self, tell: Callable[[Any], object]) -> None:
        if isinstance(self._answer, LoopFuture):
            self._answer.when_set(tell)

    def refuse(self) -> None:
        """Let a thread go on whose call leads nowhere: the loop is closed, or its own process was killed."""
        answer = self._close()
        if answer is not None:
            scheduler = self.scheduler
            self._set_error(answer, scheduler.gone() if scheduler.is_gone() else CallExit(KILLED, self.server))

    # A future may be of another kind than ours, and may have been set already: that is no error of the server.

    def _set(self, answer: Any, value: Any) -> None:
        attempt(answer.set, value, default=None)

    def _set_error(self, answer: Any, error: Exception) -> None:
        attempt(answer.set_exception, (type(error), error, None), default=None)


class KernelAsk(Ask):
    """A call that the kernel serves: an order to stop, or a message of a Pykka proxy."""

    __slots__ = ()


def _has_failed(answer: asyncio.Future[Any]) -> bool:
    return answer.cancelled() or answer.exception() is not None


async def call(target: Target, request: Any, timeout: float | None = 5.0) -> Any:
    """Send `request` and wait for the reply, `timeout` seconds at most (None or infinite: without end).

    Raises:
        CallExit: `NOPROC` if there is no such process, `TIMEOUT`, `CALLING_SELF`, or the reason the server ended with.
            Not caught in a process, it ends that process with `CallFailure`.
        ValueError, TypeError: if `timeout` is no number of at least 0; then nothing is sent.
        RuntimeError: if the process lives on another event loop, and that does not run.
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
    if caller is not None and caller.is_running():  # and not a task that it made, which blocks nothing
        if caller is server:
            raise CallExit(CALLING_SELF, target)
        call.caller = caller.ref
    if timeout is not None:  # before anything is sent: it may be a number that no clock takes, such as a Decimal
        scheduler.deadlines.add(call, timeout)
    call.submit(server)
    answer: asyncio.Future[Any] = call._answer
    try:
        return await answer
    except BaseException:
        if call._answer is not None:  # the caller was killed or cancelled: the server need not remember it
            call.withdraw()
        elif answer.done() and not answer.cancelled():
            answer.exception()  # the server ended in the same moment, and asyncio need not complain of that
        raise


async def _call_across(ref: Ref, request: Any, timeout: float | None) -> Any:
    """Call a process of another event loop, as from another thread.

    Raises:
        RuntimeError: if that loop does not run, and so cannot answer.
    """
    home = ref._cell
    if home is not None and not home.scheduler.loop.is_running():
        raise RuntimeError(f"{ref!r} lives on another event loop than this one, and that does not run")
    future, call = _asked(ref, request)
    try:
        async with asyncio.timeout(timeout):
            return await future
    except TimeoutError:
        raise CallExit(TIMEOUT, ref) from None
    finally:
        if call is not None:
            call.scheduler.post(call.withdraw)


def checked_timeout(timeout: float | None) -> float | None:
    """`timeout` in seconds; None stands for an infinite one.

    Raises:
        ValueError, TypeError: if it is no number of at least 0.
    """
    if timeout is None:
        return None
    if not timeout >= 0:
        raise ValueError(f"timeout must be a number of seconds of at least 0, or None, got {timeout!r}")
    try:
        seconds = float(timeout)
    except OverflowError:  # an integer beyond all clocks
        return None
    return None if seconds == math.inf else seconds


def ask(ref: Ref, message: Any) -> pykka.Future[Any]:
    """Send `message` as a call from any thread; the future holds the reply or raises `CallExit`."""
    return _asked(ref, message)[0]


def ask_and_wait(ref: Ref, message: Any, timeout: float | None) -> Any:
    """Send `message` as a call from a thread that may block, and wait for the reply, `timeout` seconds at most.

    Raises:
        BlockingOnLoopError: if this thread runs an event loop; then nothing is sent.
        CallExit, pykka.Timeout, RuntimeError, ValueError: see `Ref.ask`.
    """
    refuse_to_block("use `await call(ref, message)` instead")
    timeout = checked_timeout(timeout)
    thread = threading.current_thread()
    asks = thread if isinstance(thread, ProcessThread) else None
    if asks is not None and asks.scheduler.running is ref._cell is not None:
        raise CallExit(CALLING_SELF, ref)
    future, call = _asked(ref, message)
    if call is None:
        return future.get()
    if asks is not None:
        asks.asks = call
        if asks.is_fenced:  # it was killed in between, and nothing else will wake this thread
            call.refuse()
    try:
        return future.get(timeout=timeout)
    except pykka.Timeout:
        call.scheduler.post(call.withdraw)
        raise
    finally:
        if asks is not None:
            asks.asks = None


def _asked(ref: Ref, message: Any) -> tuple[pykka.Future[Any], Ask | None]:
    """Send `message` as a call; its future, and the call if there was a living process to send it to."""
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
    """Send `message` as a call to be answered with `future`. From any thread."""
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
