"""Supervisor. What static and dynamic ones have in common: starting, stopping and restarting children."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from actors import (
    KILL,
    SHUTDOWN,
    AlreadyStarted,
    Call,
    Cast,
    Crash,
    Exit,
    ExitReason,
    GenServer,
    Ignored,
    Ref,
    StartError,
    Stop,
    cast,
    down,
    self_ref,
    send_after,
    send_exit,
    start_successor,
)
from actors.debug import actor_of, view
from actors.describe import describe
from actors.failures import reason_of, release_frames
from actors.guard import attempt, pass_interrupt_on
from actors.log import get_logger
from actors.shown import shown
from supervision import strategy as rules
from supervision.child_spec import BRUTAL_KILL, INFINITY, ChildId, ChildSpec, ChildType, Limit, SpecError
from supervision.requests import RESTARTING, UNKNOWN_REQUEST, ChildInfo, Refused, Request
from supervision.strategy import GAVE_UP, AutoShutdown

log = get_logger("canopy.supervision")


class Inactive(enum.Enum):
    """Why a child neither runs nor waits for a restart."""

    STOPPED = "stopped"
    """It declined, ended in order, or was stopped: it is started again on request, or with its group."""
    GIVEN_UP = "given up"
    """It exceeded its budget: it is started again on request only."""


STOPPED: Final = Inactive.STOPPED
GIVEN_UP: Final = Inactive.GIVEN_UP


class PendingRestart:
    """A restart that `child` waits for; also the message that begins it, unless `child` waits for it no more.

    Attributes:
        reason: what its process, or the last start, ended with
        is_counted: whether it counts for the limit already; a failed start is counted when it is tried again, so
            that the supervisor can be asked, and stopped, meanwhile (OTP supervisor: try_again_restart)
        behind: members of its group that are started after it, or without it if it is given up
    """

    __slots__ = ("behind", "child", "is_counted", "reason")

    def __init__(self, child: Child, reason: ExitReason, behind: Sequence[Child] = ()) -> None:
        self.child = child
        self.reason = reason
        self.behind = behind
        self.is_counted = False


ChildState: TypeAlias = Ref | PendingRestart | Inactive


class Child:
    """A child in the hands of its supervisor.

    Attributes:
        state: its process, while it runs; the restart it waits for, its own or that of a member of its group before
            it; or why it is down
        last: the last process it had, which may keep a checkpoint for the next
        restarts: how many it had in all
        attempts: restarts without a long life between them
        started: when its last life began, in seconds of the loop's clock
        own_restarts: those that count for its budget
    """

    __slots__ = ("args", "attempts", "kwargs", "last", "own_restarts", "restarts", "spec", "started", "state")

    def __init__(self, spec: ChildSpec, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        self.spec = spec
        self.args = spec.args + args
        self.kwargs = {**spec.kwargs, **kwargs} if kwargs else spec.kwargs
        self.state: ChildState = STOPPED
        self.last: Ref | None = None
        self.restarts = 0
        self.attempts = 0
        self.started = 0.0
        self.own_restarts = None if spec.budget is None else rules.RestartWindow(spec.budget)

    @property
    def ref(self) -> Ref | None:
        """Its process, while it runs."""
        return self.state if isinstance(self.state, Ref) else None

    @property
    def is_restarting(self) -> bool:
        """Tell whether it waits for a restart of its own."""
        return isinstance(self.state, PendingRestart) and self.state.child is self

    @property
    def is_active(self) -> bool:
        """Tell whether it runs, or waits for a restart of its own."""
        return self.is_restarting or self.ref is not None

    @property
    def label(self) -> str | None:
        """What people call it."""
        spec = self.spec
        return spec.label or spec.name or (spec.id if isinstance(spec.id, str) else None)

    def info(self, id: ChildId) -> ChildInfo:
        """Its row of `which_children`."""
        return ChildInfo(id, RESTARTING if self.is_restarting else self.ref, self.spec.type)


async def begin(child: Child) -> Ref:
    """Start the process of a child, linked to the calling one.

    Raises:
        StartError: if it fails, whatever its constructor, `init` or start function raises.
        Ignored: if it declines.
    """
    spec, caller = child.spec, self_ref()
    ref: object
    try:
        if isinstance(spec.start, type):
            ref = await start_successor(
                child.last, spec.start, child.args, child.kwargs, name=spec.name, label=child.label
            )
        else:
            ref = await spec.start(*child.args, **child.kwargs)
    except (StartError, Ignored):
        raise
    except BaseException as exception:  # a start function that fails is a child that fails (OTP: do_start_child_i)
        if caller is None or not caller.is_alive():  # it is the calling process that is unwound
            raise
        pass_interrupt_on(exception)
        release_frames(exception)
        raise StartError(reason_of(exception)) from exception
    if not isinstance(ref, Ref):
        raise StartError(Crash(TypeError(f"the start function returned a {type(ref).__name__}, not a Ref")))
    return ref


@shown("limit")
class BaseSupervisor(GenServer):
    """What static and dynamic supervisors have in common: starting, stopping and restarting children.

    No client and no child can end it but by its limit: what they hand over is looked at by its type alone, their
    functions run behind a guard, and what it does not know is refused.

    Attributes:
        child_type: what `child` enters into the specification of one that is itself a child
    """

    child_type: ClassVar = ChildType.SUPERVISOR

    def _set_limits(self, intensity: int, period: float, auto_shutdown: AutoShutdown) -> None:
        if not isinstance(auto_shutdown, AutoShutdown):
            raise SpecError("auto_shutdown", auto_shutdown, "a member of AutoShutdown")
        self.trap_exit = True
        self.limit = Limit(intensity, period)
        self.auto_shutdown = auto_shutdown
        self.recent_restarts = rules.RestartWindow(self.limit)
        self._by_ref: dict[Ref, Child] = {}  # the active children under the last process they had
        self._significant = 0  # how many of them are significant

    def child_of(self, ref: Ref | None) -> Child | None:
        """What this supervisor knows of a child that runs; None of others' children."""
        child = self._by_ref.get(ref) if type(ref) is Ref else None
        return child if child is not None and child.state is ref else None

    # Messages.

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Serve the requests of `supervision.requests`."""
        if issubclass(type(request), Request):
            return self._serve(request)
        log.warning("supervisor.unexpected_call", supervisor=str(self), request=describe(request))
        return Refused(UNKNOWN_REQUEST)

    def handle_cast(self, request: Any) -> Any:
        """Begin a restart that is due, unless the child was stopped, started or removed meanwhile."""
        if type(request) is not PendingRestart:
            log.warning("supervisor.unexpected_cast", supervisor=str(self), request=describe(request))
        elif request.child.state is request:
            return self._begin_restart(request.child) if request.is_counted else self._restart(request)
        return None

    def handle_info(self, message: Any) -> Any:
        """Take the exit of a child; those of others mean nothing to a supervisor."""
        if type(message) is not Exit:
            log.warning("supervisor.unexpected_message", supervisor=str(self), message=describe(message))
            return None
        sender = message.sender
        child = self.child_of(sender)
        if sender is None or child is None or sender.is_alive():  # a signal that a living child has sent is no end
            return None
        return self._exited(child, message.reason)

    def handle_continue(self, argument: Any) -> Any:
        """Refuse what only a client can have sent."""
        log.warning("supervisor.unexpected_message", supervisor=str(self), message=describe(argument))

    def _kernel_proxied(self, message: Any) -> Any:
        """Refuse a Pykka proxy: an attribute that is missing, or a method that raises, would end the supervisor."""
        log.warning("supervisor.unexpected_call", supervisor=str(self), request=describe(message))
        return Refused(UNKNOWN_REQUEST)

    def _serve(self, request: Request) -> Any:
        """Serve a request, or refuse one that is for another kind of supervisor."""
        return Refused(UNKNOWN_REQUEST)

    # Starting.

    async def _start(self, child: Child) -> None:
        """Start the process of `child`; one that declines is stopped.

        Raises:
            StartError: if it fails.
        """
        try:
            ref = await begin(child)
        except Ignored:
            self._retire(child, STOPPED)
            return
        if ref is self.ref or ref in self._by_ref:
            raise StartError(AlreadyStarted(ref))
        self._set_state(child, ref)
        ref.restarts = child.restarts
        child.started = self.scheduler.loop.time()

    async def _start_on_request(self, child: Child) -> Ref | Refused | None:
        try:
            await self._start(child)
        except StartError as error:
            return Refused(error.reason)
        return child.ref

    async def _start_in_order(self, children: Sequence[Child]) -> None:
        """Start `children`. One that fails is tried again later, and those behind it wait for that."""
        for number, child in enumerate(children, 1):
            try:
                await self._start(child)
            except StartError as error:
                log.error("supervisor.start_failed", supervisor=str(self), child=child.label, reason=str(error))
                pending = PendingRestart(child, error.reason, children[number:])
                for waiting in (child, *pending.behind):
                    self._set_state(waiting, pending)
                cast(self.ref, pending)
                return

    def _set_state(self, child: Child, state: ChildState) -> None:
        """Change the state of `child`, and what is kept beside it."""
        was_active = child.is_active
        child.state = state
        if child.last is not None and not child.is_restarting:
            self._by_ref.pop(child.last, None)
        if isinstance(state, Ref):
            child.last = state
            self._by_ref[state] = child
        if child.spec.significant:
            self._significant += child.is_active - was_active

    def _retire(self, child: Child, state: Inactive) -> None:
        """Have `child` down and its checkpoint forgotten: started again, it begins anew."""
        self._set_state(child, state)
        child.last = None

    # Restarting.

    def _exited(self, child: Child, reason: ExitReason) -> Any:
        if rules.is_restarted(child.spec.restart, reason):
            pending = PendingRestart(child, reason)
            self._set_state(child, pending)
            return self._restart(pending)
        self._retire(child, STOPPED)
        if rules.ends_supervisor(self.auto_shutdown, child.spec.significant, self._significant > 0):
            return Stop(SHUTDOWN)
        return None

    async def _restart(self, pending: PendingRestart) -> Stop | None:
        """Count a restart, and begin it, now or after a wait, or give the child up."""
        child = pending.child
        if child.own_restarts is not None:
            if not child.own_restarts.add(self.scheduler.loop.time()):
                await self._give_up(pending)
                return None
        elif not self._is_within_limit():
            return Stop(GAVE_UP)
        self._note_restart(child, pending.reason)
        delay = self._delay(child)
        if delay is None:
            await self._begin_restart(child)
        else:
            pending.is_counted = True
            send_after(delay, self.ref, Cast(pending))
        return None

    async def _begin_restart(self, child: Child) -> None:
        await self._start_in_order(await self._stop_group(child))

    async def _stop_group(self, child: Child) -> list[Child]:
        """Stop those who are restarted with `child`, which is down; returns who is to be started, in order."""
        return [child]

    async def _give_up(self, pending: PendingRestart) -> None:
        """Leave a child down that exceeded its budget, and start those without it that were stopped for its sake."""
        child, reason = pending.child, pending.reason
        self._retire(child, GIVEN_UP)
        budget = str(child.spec.budget)
        log.error("supervisor.child_given_up", supervisor=str(self), child=child.label, reason=reason, budget=budget)
        if child.spec.given_up is not None:
            attempt(
                child.spec.given_up,
                reason,
                child.args,
                default=None,
                on_failure=lambda _: log.exception(
                    "supervisor.given_up_failed", supervisor=str(self), child=child.label
                ),
            )
        await self._start_in_order([waiting for waiting in pending.behind if waiting.state is pending])

    def _is_within_limit(self) -> bool:
        is_kept = self.recent_restarts.add(self.scheduler.loop.time())
        if not is_kept:
            log.error("supervisor.limit_reached", supervisor=str(self), limit=str(self.limit))
        return is_kept

    def _delay(self, child: Child) -> float | None:
        """Seconds that `child` has to wait for its restart, if it has to."""
        backoff = child.spec.backoff
        if backoff is None:
            return None
        lived = self.scheduler.loop.time() - child.started
        child.attempts = 0 if lived > backoff.maximum else child.attempts
        child.started = INFINITY  # a start that fails is no life
        delay = rules.restart_delay(backoff, child.attempts, self.scheduler.random.random())
        child.attempts += 1
        return delay

    def _note_restart(self, child: Child, reason: ExitReason) -> None:
        child.restarts += 1
        self.scheduler.restarts += 1
        log.warning(
            "supervisor.child_restarted",
            supervisor=str(self),
            child=child.label,
            reason=reason,
            restarts=child.restarts,
        )

    # Stopping.

    async def _stop_all(self, children: Iterable[Child]) -> None:
        """Stop `children` all at once, in the time of the slowest (OTP: terminate_dynamic_children)."""
        ended: dict[Ref, asyncio.Future[ExitReason]] = {}
        deadlines: dict[float, list[Ref]] = {}
        for child in children:
            ref, shutdown = child.ref, child.spec.shutdown
            self._set_state(child, STOPPED)
            if ref is None:
                continue
            ended[ref] = down(ref)
            self.unlink(ref)  # an exit message that is there already means nothing any more
            if shutdown == BRUTAL_KILL:
                send_exit(ref, KILL)
            else:
                send_exit(ref, SHUTDOWN)
                deadlines.setdefault(float(shutdown or 0), []).append(ref)
        begin = self.scheduler.loop.time()
        for seconds in sorted(deadlines):
            late = {ref: ended[ref] for ref in deadlines[seconds] if not ended[ref].done()}
            if not late:
                continue
            timeout = None if seconds == INFINITY else max(0.0, begin + seconds - self.scheduler.loop.time())
            await asyncio.wait(late.values(), timeout=timeout)
            for ref, end in late.items():
                if not end.done():
                    log.warning("supervisor.child_killed", supervisor=str(self), child=ref, after=seconds)
                    send_exit(ref, KILL)
        pending = [end for end in ended.values() if not end.done()]
        if pending:
            await asyncio.wait(pending)


def child_of(ref: Ref) -> Child | None:
    """What the supervisor of a living process knows of it; None if no supervisor started it."""
    process = view(ref)
    parent = None if process is None else process.parent
    supervisor = None if parent is None else actor_of(parent, BaseSupervisor)
    return None if supervisor is None else supervisor.child_of(ref)
