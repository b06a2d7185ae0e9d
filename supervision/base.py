"""Supervisor. The common base of static and dynamic supervisors: starts, stops and restarts children."""

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
    """It declined to start, ended without a restart, or was stopped. A request or a restart of its group starts it."""
    GIVEN_UP = "given up"
    """It exceeded its budget. Only a request starts it again."""


STOPPED: Final = Inactive.STOPPED
GIVEN_UP: Final = Inactive.GIVEN_UP


class PendingRestart:
    """A restart that `child` waits for, and the message that begins it.

    The message counts only while it is the state of `child`: a child that was stopped, started or removed meanwhile has
    another state.

    Attributes:
        child: waits for its own restart
        reason: the exit reason of its process, or of its last failed start
        is_counted: whether the restart was counted towards the limit. A failed start counts only when the message
            arrives, so that the supervisor can serve requests, or stop, in between (OTP supervisor: try_again_restart)
        followers: members of its group that start after it; if it is given up, they start without it
    """

    __slots__ = ("child", "followers", "is_counted", "reason")

    def __init__(self, child: Child, reason: ExitReason, followers: Sequence[Child] = ()) -> None:
        self.child = child
        self.reason = reason
        self.followers = followers
        self.is_counted = False


ChildState: TypeAlias = Ref | PendingRestart | Inactive


class Child:
    """What a supervisor keeps about one child.

    Attributes:
        args, kwargs: for the start: those of the specification and the child's own
        state: its process while it runs; the restart it waits for, its own or that of an earlier member of its group;
            or why it is down
        last: its last process, which may hold a checkpoint for the next one
        restarts: number of all restarts
        attempts: number of restarts since it last lived longer than `Backoff.maximum`
        started: when its process last started, in seconds of the loop's clock
        own_restarts: recent restarts that count towards its budget
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
        """Its process while it runs, or None."""
        return self.state if isinstance(self.state, Ref) else None

    @property
    def is_restarting(self) -> bool:
        """Whether it waits for its own restart."""
        return isinstance(self.state, PendingRestart) and self.state.child is self

    @property
    def is_active(self) -> bool:
        """Whether it runs, or waits for its own restart."""
        return self.is_restarting or self.ref is not None

    @property
    def label(self) -> str | None:
        """The label of its process."""
        spec = self.spec
        return spec.label or spec.name or (spec.id if isinstance(spec.id, str) else None)

    def info(self, id: ChildId) -> ChildInfo:
        """Return its row of `which_children`."""
        return ChildInfo(id, RESTARTING if self.is_restarting else self.ref, self.spec.type)


async def begin(child: Child) -> Ref:
    """Start the process of a child, linked to the calling process.

    Raises:
        StartError: if its constructor, `init` or start function raises anything.
        Ignored: if it declines to start.
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
    except BaseException as exception:  # a start function that raises fails the start (OTP: do_start_child_i)
        if caller is None or not caller.is_alive():  # the calling process itself is being unwound
            raise
        pass_interrupt_on(exception)
        release_frames(exception)
        raise StartError(reason_of(exception)) from exception
    if not isinstance(ref, Ref):
        raise StartError(Crash(TypeError(f"the start function returned a {type(ref).__name__}, not a Ref")))
    return ref


@shown("limit")
class BaseSupervisor(GenServer):
    """The common base of static and dynamic supervisors: starts, stops and restarts children.

    Clients and children can end a supervisor only through its restart limit. It checks their values by type alone, runs
    their functions behind a guard, and refuses unknown requests.

    Attributes:
        child_type: the `type` that `child` gives the specification of a supervisor
    """

    # `_by_ref` and `_significant` follow from the states of the children. `_set_state` keeps all three in step, so
    # change the state of a child there only.
    #
    # The path of a restart: a process dies, `_child_exited` makes a `PendingRestart` the state of the child, and
    # `_restart` counts it. Then `_begin_restart` stops the group and starts it in order, at once or, with a back-off,
    # when the message arrives. If a start fails, that child and those after it share a new `PendingRestart`, which the
    # supervisor casts to itself.

    child_type: ClassVar = ChildType.SUPERVISOR

    def _set_limits(self, intensity: int, period: float, auto_shutdown: AutoShutdown) -> None:
        if not isinstance(auto_shutdown, AutoShutdown):
            raise SpecError("auto_shutdown", auto_shutdown, "a member of AutoShutdown")
        self.trap_exit = True
        self.limit = Limit(intensity, period)
        self.auto_shutdown = auto_shutdown
        self.recent_restarts = rules.RestartWindow(self.limit)
        self._by_ref: dict[Ref, Child] = {}  # active children by their last process
        self._significant = 0  # number of active children that are significant

    def child_of(self, ref: Ref | None) -> Child | None:
        """Return the child whose process is `ref`; None if it does not run under this supervisor."""
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
        """Begin a pending restart, unless the child was stopped, started or removed meanwhile."""
        if type(request) is not PendingRestart:
            log.warning("supervisor.unexpected_cast", supervisor=str(self), request=describe(request))
        elif request.child.state is request:
            return self._begin_restart(request.child) if request.is_counted else self._restart(request)
        return None

    def handle_info(self, message: Any) -> Any:
        """Handle the exit of a child; ignore exits of other processes."""
        if type(message) is not Exit:
            log.warning("supervisor.unexpected_message", supervisor=str(self), message=describe(message))
            return None
        sender = message.sender
        child = self.child_of(sender)
        if sender is None or child is None or sender.is_alive():  # a child can send an exit signal and stay alive
            return None
        return self._child_exited(child, message.reason)

    def handle_continue(self, argument: Any) -> Any:
        """Refuse it: only a client can have sent it."""
        log.warning("supervisor.unexpected_message", supervisor=str(self), message=describe(argument))

    def _kernel_proxied(self, message: Any) -> Any:
        """Refuse Pykka proxies: a missing attribute, or a method that raises, would crash the supervisor."""
        log.warning("supervisor.unexpected_call", supervisor=str(self), request=describe(message))
        return Refused(UNKNOWN_REQUEST)

    def _serve(self, request: Request) -> Any:
        """Serve a request; refuse one for another kind of supervisor."""
        return Refused(UNKNOWN_REQUEST)

    # Starting.

    async def _start(self, child: Child) -> None:
        """Start the process of `child`. A child that declines to start becomes `STOPPED`.

        Raises:
            StartError: if the start fails.
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
        """Start `children` in order. If one fails, it is tried again later, and those after it wait."""
        for position, child in enumerate(children, 1):
            try:
                await self._start(child)
            except StartError as error:
                log.error("supervisor.start_failed", supervisor=str(self), child=child.label, reason=str(error))
                pending = PendingRestart(child, error.reason, children[position:])
                for waiting in (child, *pending.followers):
                    self._set_state(waiting, pending)
                cast(self.ref, pending)
                return

    def _set_state(self, child: Child, state: ChildState) -> None:
        """Change the state of `child`, and what follows from it."""
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
        """Mark `child` as down and drop its checkpoint: its next start is a fresh one."""
        self._set_state(child, state)
        child.last = None

    # Restarting.

    def _child_exited(self, child: Child, reason: ExitReason) -> Any:
        if rules.is_restarted(child.spec.restart, reason):
            pending = PendingRestart(child, reason)
            self._set_state(child, pending)
            return self._restart(pending)
        self._retire(child, STOPPED)
        if rules.ends_supervisor(self.auto_shutdown, child.spec.significant, self._significant > 0):
            return Stop(SHUTDOWN)
        return None

    async def _restart(self, pending: PendingRestart) -> Stop | None:
        """Count a restart, then begin it now, schedule it, or give up the child or the supervisor."""
        child = pending.child
        if child.own_restarts is not None:
            if not child.own_restarts.add(self.scheduler.loop.time()):
                await self._give_up(pending)
                return None
        elif not self._is_within_limit():
            return Stop(GAVE_UP)
        self._record_restart(child, pending.reason)
        delay = self._restart_delay(child)
        if delay is None:
            await self._begin_restart(child)
        else:
            pending.is_counted = True
            send_after(delay, self.ref, Cast(pending))
        return None

    async def _begin_restart(self, child: Child) -> None:
        await self._start_in_order(await self._stop_group(child))

    async def _stop_group(self, child: Child) -> list[Child]:
        """Stop the children that restart together with `child`, which is down; returns those to start, in order."""
        return [child]

    async def _give_up(self, pending: PendingRestart) -> None:
        """Leave a child that exceeded its budget down, and start the followers that wait for it."""
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
        await self._start_in_order([waiting for waiting in pending.followers if waiting.state is pending])

    def _is_within_limit(self) -> bool:
        is_kept = self.recent_restarts.add(self.scheduler.loop.time())
        if not is_kept:
            log.error("supervisor.limit_reached", supervisor=str(self), limit=str(self.limit))
        return is_kept

    def _restart_delay(self, child: Child) -> float | None:
        """Return the back-off of `child` before its restart, in seconds; None to restart at once."""
        backoff = child.spec.backoff
        if backoff is None:
            return None
        lived = self.scheduler.loop.time() - child.started
        child.attempts = 0 if lived > backoff.maximum else child.attempts
        child.started = INFINITY  # until it starts; a failed start does not reset `attempts`
        delay = rules.restart_delay(backoff, child.attempts, self.scheduler.random.random())
        child.attempts += 1
        return delay

    def _record_restart(self, child: Child, reason: ExitReason) -> None:
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
        """Stop `children` concurrently (OTP: terminate_dynamic_children)."""
        ended: dict[Ref, asyncio.Future[ExitReason]] = {}
        deadlines: dict[float, list[Ref]] = {}
        for child in children:
            ref, shutdown = child.ref, child.spec.shutdown
            self._set_state(child, STOPPED)
            if ref is None:
                continue
            ended[ref] = down(ref)
            self.unlink(ref)  # an exit message that has already arrived is ignored
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
    """Return what the supervisor of a living process keeps about it; None if no supervisor started it."""
    process = view(ref)
    parent = None if process is None else process.parent
    supervisor = None if parent is None else actor_of(parent, BaseSupervisor)
    return None if supervisor is None else supervisor.child_of(ref)
