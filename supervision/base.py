"""Supervisor. What static and dynamic ones have in common: starting, stopping and counting restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from actors import (
    KILL,
    SHUTDOWN,
    Call,
    Cast,
    Exit,
    ExitReason,
    GenServer,
    Ignored,
    Ref,
    StartError,
    Stop,
    down,
    send_after,
    send_exit,
    start_successor,
)
from actors.describe import outline
from actors.exits import reason_of
from actors.log import get_logger
from supervision import strategy as rules
from supervision.child_spec import (
    BRUTAL_KILL,
    INFINITY,
    ChildId,
    ChildSpec,
    Limit,
    SpecError,
)
from supervision.requests import RESTARTING, UNKNOWN_REQUEST, ChildInfo, Refused
from supervision.strategy import AutoShutdown

log = get_logger("canopy.supervision")


@dataclass(frozen=True, slots=True)
class TryAgain:
    """A failed restart is tried again after the requests that came meanwhile, so that one can still be stopped."""

    child: Child
    reason: ExitReason
    last: Ref | None = None


class BeginRestart:
    """The wait before a restart is over. Told apart by identity: one that was called off is not `Child.pending`."""

    __slots__ = ("child", "last")

    def __init__(self, child: Child, last: Ref | None = None) -> None:
        self.child = child
        self.last = last


class Child:
    """A child in the hands of its supervisor. `ref` is None while it is not running."""

    __slots__ = (
        "args",
        "attempts",
        "is_restarting",
        "kwargs",
        "last",
        "own_restarts",
        "pending",
        "ref",
        "restarts",
        "spec",
        "started",
    )

    def __init__(self, spec: ChildSpec, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        self.spec = spec
        self.args = spec.args + args
        self.kwargs = {**spec.kwargs, **kwargs} if kwargs else spec.kwargs
        self.ref: Ref | None = None
        self.last: Ref | None = None  # the last process it had, which may have left a checkpoint
        self.is_restarting = False
        self.pending: BeginRestart | None = None
        self.restarts = 0
        self.attempts = 0  # restarts without a long life between them, and when the last life began
        self.started = 0.0
        self.own_restarts: list[float] = []

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
        StartError: if it fails.
        Ignored: if it declines.
    """
    kind = child.spec.start
    if isinstance(kind, type):
        name, label = child.spec.name, child.label
        return await start_successor(child.last, kind, *child.args, name=name, label=label, **child.kwargs)
    try:
        return await kind(*child.args, **child.kwargs)
    except (StartError, Ignored):
        raise
    except Exception as exception:  # a start function that fails is a child that fails (OTP: do_start_child_i)
        raise StartError(reason_of(exception)) from exception


class BaseSupervisor(GenServer):
    """What static and dynamic supervisors have in common: starting, stopping and counting restarts."""

    def _set_limits(self, intensity: int, period: float, auto_shutdown: AutoShutdown) -> None:
        if not isinstance(auto_shutdown, AutoShutdown):
            raise SpecError("auto_shutdown", auto_shutdown, "a member of AutoShutdown")
        self.trap_exit = True
        self.limit = Limit(intensity, period)
        self.auto_shutdown = auto_shutdown
        self.recent_restarts: list[float] = []

    async def _start(self, child: Child) -> None:
        """Start the process of `child`; its `ref` stays None if it declines.

        Raises:
            StartError: if it fails.
        """
        child.ref = child.pending = None
        child.is_restarting = False
        try:
            child.ref = child.last = await begin(child)
        except Ignored:
            return
        child.ref.restarts = child.restarts
        child.started = self.scheduler.loop.time()

    def child_of(self, ref: Ref) -> Child | None:
        """What this supervisor knows of a child that runs, for whoever looks; None of others' children."""
        raise NotImplementedError

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Refuse what is not for this kind of supervisor: a client's mistake may not harm the children."""
        log.warning("supervisor.unexpected_call", supervisor=self.ref, request=outline(request))
        return Refused(UNKNOWN_REQUEST)

    def handle_cast(self, request: Any) -> Any:
        """As for a call."""
        log.warning("supervisor.unexpected_cast", supervisor=self.ref, request=outline(request))

    async def _stop_all(self, children: Iterable[Child]) -> None:
        """Stop `children` all at once, in the time of the slowest (OTP: terminate_dynamic_children)."""
        watched = {child: down(child.ref) for child in children if child.ref is not None}
        deadlines: dict[float, list[Child]] = {}
        for child in watched:
            assert child.ref is not None
            self.unlink(child.ref)
            if child.spec.shutdown == BRUTAL_KILL:
                send_exit(child.ref, KILL)
            else:
                send_exit(child.ref, SHUTDOWN)
                deadlines.setdefault(float(child.spec.shutdown or 0), []).append(child)
        stopped = set(watched)
        refs = {child.ref for child in stopped}
        self.discard(lambda message: isinstance(message, Exit) and message.sender in refs)
        loop = self.scheduler.loop
        begin = loop.time()
        for seconds in sorted(deadlines):
            late = [child for child in deadlines[seconds] if not watched[child].done()]
            if not late:
                continue
            timeout = None if seconds == INFINITY else max(0.0, begin + seconds - loop.time())
            await asyncio.wait([watched[child] for child in late], timeout=timeout)
            for child in late:
                if not watched[child].done() and child.ref is not None:
                    log.warning("supervisor.child_killed", supervisor=self.ref, child=child.ref, after=seconds)
                    send_exit(child.ref, KILL)
        pending = [ended for ended in watched.values() if not ended.done()]
        if pending:
            await asyncio.wait(pending)
        for child in stopped:
            child.ref = None

    def _within_limit(self) -> bool:
        self.recent_restarts, is_kept = rules.add_restart(self.recent_restarts, self.scheduler.loop.time(), self.limit)
        if not is_kept:
            log.error("supervisor.limit_reached", supervisor=self.ref, limit=self.limit)
        return is_kept

    def _within_budget(self, child: Child, reason: ExitReason) -> bool:
        """Count a restart of a child with a budget of its own; report it if that is used up."""
        budget = child.spec.budget
        assert budget is not None
        child.own_restarts, is_kept = rules.add_restart(child.own_restarts, self.scheduler.loop.time(), budget)
        if not is_kept:
            log.error(
                "supervisor.child_given_up",
                supervisor=self.ref,
                child=child.label,
                reason=reason,
                budget=budget,
            )
            self._tell_given_up(child, reason)
        return is_kept

    def _tell_given_up(self, child: Child, reason: ExitReason) -> None:
        if child.spec.given_up is None:
            return
        try:
            child.spec.given_up(reason, child.args)
        except Exception:  # the siblings of a child that is given up never notice, whatever its owner does about it
            log.exception("supervisor.given_up_failed", supervisor=self.ref, child=child.label)

    def _waits(self, child: Child, last: Ref | None = None) -> bool:
        """Have a restart begin later if the child is to wait for it; tell whether it is."""
        backoff = child.spec.backoff
        if backoff is None:
            return False
        lived = self.scheduler.loop.time() - child.started
        child.attempts = 0 if lived > backoff.maximum else child.attempts
        child.started = INFINITY  # a start that fails is no life
        delay = rules.restart_delay(backoff, child.attempts, self.scheduler.random.random())
        child.attempts += 1
        child.is_restarting = True
        child.pending = BeginRestart(child, last)
        send_after(delay, self.ref, Cast(child.pending))
        return True

    def _ends(self, child: Child, children: Iterable[Child]) -> Stop | None:
        others = any(
            other.spec.significant and (other.ref is not None or other.is_restarting)
            for other in children
            if other is not child
        )
        if rules.ends_supervisor(self.auto_shutdown, child.spec.significant, others):
            return Stop(SHUTDOWN)
        return None

    def _note_restart(self, child: Child, reason: ExitReason) -> None:
        child.restarts += 1
        self.scheduler.restarts += 1
        log.warning(
            "supervisor.child_restarted",
            supervisor=self.ref,
            child=child.label,
            reason=reason,
            restarts=child.restarts,
        )
