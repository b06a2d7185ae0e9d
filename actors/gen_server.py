"""One process per server: state behind calls, casts and plain messages (OTP gen_server).

The state of a server is the attributes of the instance. A callback may be a coroutine.
"""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from types import CoroutineType
from typing import Any, Final

from actors.describe import describe
from actors.exits import TIMEOUT, ExitReason
from actors.kernel.call import Ask, Call, checked_timeout
from actors.kernel.cell import FOR_KERNEL, log
from actors.kernel.directives import IGNORE, Directive, Stop
from actors.kernel.process import Process
from actors.kernel.ref import Ref, Target
from actors.kernel.scheduler import Scheduler


class Cast:
    """A request in transit that gets no reply."""

    __slots__ = ("request",)
    __match_args__ = ("request",)

    def __init__(self, request: Any) -> None:
        self.request = request

    def __repr__(self) -> str:
        return f"Cast({self.request!r})"


class _NoReply(Directive):
    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_REPLY"


NO_REPLY: Final = _NoReply()
"""Returned by `handle_call`: the server replies later, with `reply`."""


class Continue(Directive):
    """Returned by a callback: run `handle_continue(argument)` before any other message."""

    __slots__ = ("argument",)

    def __init__(self, argument: Any = None) -> None:
        self.argument = argument

    def __repr__(self) -> str:
        return f"Continue({self.argument!r})"


class Idle(Directive):
    """Returned by a callback: if no message arrives within `timeout` seconds, pass `TIMEOUT` to `handle_info`.

    A timeout of None or infinity never expires.

    Raises:
        ValueError, TypeError: if `timeout` is not a number of at least 0.
    """

    __slots__ = ("timeout",)

    def __init__(self, timeout: float | None) -> None:
        self.timeout = checked_timeout(timeout)


class Reply(Directive):
    """Returned by `handle_call`: reply `value`, then apply `then`."""

    __slots__ = ("then", "value")

    def __init__(self, value: Any, then: Continue | Idle | Stop | None = None) -> None:
        self.value = value
        self.then = then


CALLS = frozenset((Call, Ask))
_SPECIAL = FOR_KERNEL | CALLS | {Continue}
"""The types of messages that are neither casts nor plain messages."""


class GenServer(Process):
    """A server: subclass it and override the callbacks you need.

    A call, cast or continuation without an override crashes the server; an unexpected plain message is logged.
    """

    __slots__ = ()

    # Callbacks.

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Set up the state, while the starting process waits.

        May return `IGNORE`, `Stop(reason)` (the start fails with that reason), `Continue(argument)` or `Idle(seconds)`.
        """

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Handle a call; the return value is the reply.

        May also return `NO_REPLY` (call `reply(from_, value)` later), `Continue(argument)` or `Idle(seconds)` (no reply
        yet either, then the continuation or timeout), `Reply(value, then=...)`, `Stop(reason)` (the call fails with
        that reason) or `Stop(reason, reply=value)`.
        """
        raise NotImplementedError(f"{self} does not handle the call {self._kernel_text(request)}")

    def handle_cast(self, request: Any) -> Any:
        """Handle a cast. May return `Stop(reason)`, `Continue(argument)` or `Idle(seconds)`."""
        raise NotImplementedError(f"{self} does not handle the cast {self._kernel_text(request)}")

    def handle_info(self, message: Any) -> Any:
        """Handle any other message: a plain one, `Down`, `Exit`, a timer's. May return what `handle_cast` may."""
        log.warning("actor.unexpected_message", actor=str(self), message=describe(message))

    def handle_continue(self, argument: Any) -> Any:
        """Continue after a callback that returned `Continue`. May return what `handle_cast` may."""
        raise NotImplementedError(f"{self} does not handle the continuation {self._kernel_text(argument)}")

    def terminate(self, reason: ExitReason) -> Any:
        """Clean up before the server exits by itself, or at its parent's request while it traps exits.

        Not called when the server is killed, or dies of an exit signal that it does not trap.
        """

    # The kernel's side.

    def _kernel_init(self) -> Any:
        args, kwargs = self._kernel_args
        self._kernel_args = ((), {})
        return self.init(*args, **kwargs)

    def _kernel_accept(self, value: Any) -> None:
        if type(value) is Continue:
            self._kernel.mailbox.prepend(value)
        elif type(value) is Idle:
            self._kernel_expect(value)

    def _kernel_expect(self, idle: Idle) -> None:
        if idle.timeout is not None:
            self._kernel.expect(idle.timeout, TIMEOUT)

    def _kernel_finish(self, reason: ExitReason) -> Any:
        return self.terminate(reason)

    def _kernel_handle(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        kind = type(message)
        if kind is Cast:  # the two common kinds of message, inlined to save a call
            result = self.handle_cast(message.request)
        elif kind not in _SPECIAL:
            result = self.handle_info(message)
        elif kind in FOR_KERNEL:
            return self._kernel.serve(message)
        else:
            return self._kernel_settled(message, self._kernel_dispatch(message))
        return None if result is None else self._kernel_settled(message, result)

    def _kernel_dispatch(self, message: Any) -> Any:
        """Call the callback for `message`."""
        kind = type(message)
        if kind is Cast:
            return self.handle_cast(message.request)
        if kind in CALLS:
            return self.handle_call(message.request, message)
        if kind is Continue:
            return self.handle_continue(message.argument)
        return self.handle_info(message)

    def _kernel_receive(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        return self._kernel_settled(message, self._kernel_dispatch(message))

    def _kernel_settled(self, message: Any, result: Any) -> Coroutine[Any, Any, Any] | None:
        """Settle `message` now, or return the coroutine that does so once the result is available."""
        if type(result) is CoroutineType:
            return self._kernel_settle_later(message, result)
        self._kernel_settle(message, result)
        return None

    async def _kernel_settle_later(self, message: Any, pending: Coroutine[Any, Any, Any]) -> None:
        self._kernel_settle(message, await pending)

    def _kernel_settle(self, message: Any, result: Any) -> None:
        """Reply with the result of a callback, or apply it if it is a directive."""
        if isinstance(result, Directive):
            self._kernel_apply(message, result)
        elif isinstance(message, Call):
            message.resolve(result)
        elif result is not None:
            raise TypeError(self._kernel_bad_return(result))

    def _kernel_bad_return(self, result: Any) -> str:
        return f"{self} returned {self._kernel_text(result)} from a callback; see GenServer for what it may return"

    def _kernel_apply(self, message: Any, directive: Directive | None) -> None:
        match directive:
            case Reply(value=value, then=then) if isinstance(message, Call):
                message.resolve(value)
                self._kernel_apply(None, then)
            case Stop():
                answers = isinstance(message, Call) and directive.reply is not IGNORE
                self._kernel.stop(directive.reason, partial(message.resolve, directive.reply) if answers else None)
            case Continue():
                self._kernel.mailbox.prepend(directive)
            case Idle():
                self._kernel_expect(directive)
            case None | _NoReply():
                pass
            case _:
                raise TypeError(self._kernel_bad_return(directive))


def cast(target: Target, request: Any) -> None:
    """Send a request that gets no reply; it is silently dropped if the target is dead or the name is not registered."""
    ref = target if type(target) is Ref else Scheduler.current().whereis(target)
    if ref is not None:
        ref.tell(Cast(request))


def reply(from_: Call, value: Any) -> None:
    """Reply to a call whose `handle_call` returned `NO_REPLY`. Thread-safe; a second reply is dropped."""
    scheduler = from_.scheduler
    if scheduler.on_thread():
        from_.resolve(value)
    else:
        scheduler.post(from_.resolve, value)
