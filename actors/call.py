"""Requests that are answered: `call` from coroutines, `ask` from any thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pykka
from pykka import messages as pykka_messages

from actors.exits import CALLING_SELF, NOPROC, NORMAL, TIMEOUT, CallExit, ExitReason
from actors.future import LoopFuture, refuse_to_block
from actors.ref import Ref, StopRequest, Target
from actors.scheduler import Scheduler
from actors.system import down

if TYPE_CHECKING:
    from actors.cell import Cell


PROXY = (pykka_messages.ProxyCall, pykka_messages.ProxyGetAttr, pykka_messages.ProxySetAttr)
"""What Pykka's proxies send."""


class Call:
    """A request that waits for its answer; also the address of the reply (OTP's `From`)."""

    __slots__ = ("_answer", "caller", "request", "scheduler", "server")
    __match_args__ = ("request",)

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

    def submit(self, server: Cell) -> None:
        """Put the call into the mailbox of `server`, and have it fail when the server ends."""
        if server.callers is None:
            server.callers = {}
        server.callers[self] = None
        server.receive(self)

    def resolve(self, value: Any) -> None:
        """Answer with `value`; too late or a second time it is dropped."""
        answer = self._close()
        if isinstance(answer, asyncio.Future):
            if not answer.done():
                answer.set_result(value)
        elif answer is not None:
            answer.set(value)

    def reject(self, reason: ExitReason) -> None:
        """Let the call fail with `CallExit(reason)`; to the wish that it should end, the end is an answer."""
        if type(self.request) is StopRequest:
            self.resolve(True)
            return
        answer = self._close()
        if answer is None:
            return
        error = CallExit(reason, self.server)
        error.__cause__ = getattr(reason, "exception", None)
        if isinstance(answer, pykka.Future):
            answer.set_exception((CallExit, error, None))
        elif not answer.done():
            answer.set_exception(error)

    def when_answered(self, tell: Callable[[Any], object]) -> None:
        """Have `tell(value)` called with the answer, for whoever looks on; not if the call fails."""
        answer = self._answer
        if isinstance(answer, asyncio.Future):
            answer.add_done_callback(lambda done: None if _has_failed(done) else tell(done.result()))
        elif isinstance(answer, LoopFuture):
            answer.when_set(tell)

    def is_closed(self) -> bool:
        """Tell whether it has been answered or has failed."""
        return self._answer is None

    def is_given_up(self) -> bool:
        """Tell whether nobody waits for the answer any more."""
        answer = self._answer
        return answer is None or (isinstance(answer, asyncio.Future) and answer.done())

    def bounce(self) -> None:
        """Nobody is there to answer."""
        if type(self.request) is StopRequest:
            self.resolve(False)
        else:
            self.reject(NOPROC)

    def _close(self) -> asyncio.Future[Any] | pykka.Future[Any] | None:
        answer, self._answer = self._answer, None
        server = self.server._cell
        if server is not None and server.callers is not None:
            server.callers.pop(self, None)
        return answer


class KernelCall(Call):
    """A call that the kernel serves: an order to stop, or a message of a Pykka proxy."""

    __slots__ = ()


def _has_failed(answer: asyncio.Future[Any]) -> bool:
    return answer.cancelled() or answer.exception() is not None


async def call(target: Target, request: Any, timeout: float | None = 5.0) -> Any:
    """Send `request` and wait for the reply, `timeout` seconds at most (None: for ever).

    Raises:
        CallExit: `NOPROC` if nobody is there, `TIMEOUT`, `CALLING_SELF`, or the reason the server ended with.
            Not caught in a process, it ends that process with `CallFailure`.
    """
    scheduler = Scheduler.current()
    ref = target if type(target) is Ref else scheduler.whereis(target)
    if ref is None or (server := ref._cell) is None:
        raise CallExit(NOPROC, target)
    caller = scheduler.running
    if caller is server:
        raise CallExit(CALLING_SELF, target)
    answer: asyncio.Future[Any] = scheduler.loop.create_future()
    call = Call(request, answer, ref, scheduler)
    if caller is not None:
        call.caller = caller.ref
    call.submit(server)
    if timeout is not None:
        scheduler.deadlines.add(call, timeout)
    try:
        return await answer
    except BaseException:
        if call._answer is not None:  # the caller was killed or cancelled: the server need not remember it
            call._close()
        elif answer.done() and not answer.cancelled():
            answer.exception()  # the server ended in the same moment, and asyncio need not complain of that
        raise


def ask(ref: Ref, message: Any, *, block: bool = False) -> pykka.Future[Any]:
    """Send `message` as a call from any thread; the future holds the reply or raises `CallExit`.

    Raises:
        BlockingOnLoopError: if the caller means to block, and may not; then nothing is sent.
    """
    if block:
        refuse_to_block()
    future = LoopFuture()
    server = ref._cell
    if server is not None:
        submit(server, message, future)
    elif type(message) is StopRequest:
        future.set(False)
    else:
        future.set_exception((CallExit, CallExit(NOPROC, ref), None))
    return future


def submit(server: Cell, message: Any, future: pykka.Future[Any]) -> None:
    """Send `message` as a call to be answered with `future`. From any thread."""
    kind = KernelCall if isinstance(message, (StopRequest, *PROXY)) else Call
    call = kind(message, future, server.ref, server.scheduler)
    if server.scheduler.on_thread():
        _submit(call)
    else:
        server.scheduler.post(_submit, call)


def _submit(call: Call) -> None:
    server = call.server._cell
    if server is None:
        call.bounce()
    else:
        call.submit(server)


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
