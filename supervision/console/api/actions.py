"""The console's actions on a running system.

The audit log records each action twice: before it runs, and afterwards with its result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from typing import Any, Literal, TypeAlias

from actors import KILL, SHUTDOWN, Ref, self_ref, send_exit
from actors.debug import REMEMBERED, force_exit, inspect, resume, suspend
from protocol import CloseCode, HttpError
from supervision import Restart
from supervision.base import child_of
from supervision.console.api.audit import Attempt, Audit
from supervision.console.api.extensions import Extensions
from supervision.console.inspection.inspector import Inspector
from supervision.console.inspection.model.actors import StateText
from supervision.console.inspection.model.session import ActionOutcome
from supervision.console.inspection.model.traces import TraceState
from supervision.console.inspection.tracing import MAX_LINES, MAX_SECONDS, Trace, Traces
from supervision.console.inspection.tree import parents
from supervision.server import Wire

CRASH = "crash"
"""The exit reason of an actor that the console crashes."""
RESTART = "restart"
"""The exit reason of an actor that the console restarts."""
MAX_STATE = 20_000
"""Characters of an actor's state at which it is truncated."""

Reason: TypeAlias = Literal["crash", "shutdown", "kill"]


class Actions:
    """Runs actions, after it has checked and recorded them.

    Args:
        inspector: knows the root of the tree, and remembers which crashes were requested
        extensions: the actions of the application
        audit: the audit log, whose writer must not be suspended
        traces: the running traces
    """

    def __init__(self, inspector: Inspector, extensions: Extensions, audit: Audit, traces: Traces) -> None:
        self._inspector = inspector
        self._extensions = extensions
        self._audit = audit
        self._traces = traces

    # Actors.

    async def exit(self, attempt: Attempt, ref: Ref, reason: Reason) -> ActionOutcome:
        """End an actor with a crash, with an exit signal `SHUTDOWN`, or with `KILL`."""
        ends: dict[str, Callable[[], object]] = {
            "crash": lambda: self._crash(ref, attempt.who),
            "shutdown": lambda: send_exit(ref, SHUTDOWN),
            "kill": lambda: send_exit(ref, KILL),
        }
        return await self._on_actor(attempt, reason, ref, ends[reason], self._not_root)

    async def restart(self, attempt: Attempt, ref: Ref) -> ActionOutcome:
        """End an actor so that its supervisor restarts it."""
        do = partial(force_exit, ref, RESTART)
        return await self._on_actor(attempt, "restart", ref, do, self._not_root, _is_restarted)

    async def suspend(self, attempt: Attempt, ref: Ref) -> ActionOutcome:
        """Suspend an actor: until it is resumed, it handles only requests to stop (OTP sys)."""
        return await self._on_actor(attempt, "suspend", ref, lambda: suspend(ref), self._not_ours)

    async def resume(self, attempt: Attempt, ref: Ref) -> ActionOutcome:
        """Resume a suspended actor."""
        return await self._on_actor(attempt, "resume", ref, lambda: resume(ref))

    async def state(self, attempt: Attempt, ref: Ref) -> StateText:
        """Return the attributes of an actor."""
        await self._on_actor(attempt, "get state", ref, lambda: None)
        seen = inspect(ref, size=MAX_STATE)
        assert seen is not None, "no other actor has run since it was alive"
        return StateText(str(ref.id), ref.label, {name: value.text for name, value in seen.state.items()}, seen.is_cut)

    async def trace(self, attempt: Attempt, ref: Ref, lines: int, seconds: float) -> TraceState:
        """Start a trace of an actor."""
        if not (1 <= lines <= MAX_LINES and 0 < seconds <= MAX_SECONDS):
            raise HttpError(400, f"a trace has 1 to {MAX_LINES} lines and lasts up to {MAX_SECONDS:g} seconds")
        await self._on_actor(attempt, "trace", ref, lambda: None)
        return self._traces.begin(ref, lines, seconds, attempt.who).state()

    async def read_trace(self, attempt: Attempt, trace: Trace) -> TraceState:
        """Return the lines of a trace. The audit log records only the first read of each principal."""
        if attempt.who not in trace.readers:
            attempt.describe("read trace", repr(trace.ref))
            await attempt.show()
            trace.readers.add(attempt.who)
        return trace.state()

    async def end_trace(self, attempt: Attempt, trace: Trace) -> TraceState:
        """End a trace, whose actor may be dead."""
        attempt.describe("end trace", repr(trace.ref))
        await attempt.begin()
        trace.end("it was stopped")
        return trace.state()

    # Connections.

    async def disconnect(self, attempt: Attempt, id: str, wire: Wire) -> ActionOutcome:
        """Close a client's connection."""
        await self._do(attempt, "disconnect", f"connection {id} {wire.peer}", lambda: _disconnect(wire))
        return ActionOutcome("disconnect", detail=id)

    # The application.

    async def drain(self, attempt: Attempt) -> ActionOutcome:
        """Stop accepting connections, and close the open ones."""
        if self._extensions.drain is None:
            raise HttpError(501, "this application cannot drain")
        pending = await self._do(attempt, "drain", self._inspector.sources.application, self._extensions.drain)
        if isawaitable(pending):
            await pending
        return ActionOutcome("drain")

    async def set_log_level(self, attempt: Attempt, level: str) -> ActionOutcome:
        """Set the lowest level that is logged."""
        set_level = self._extensions.set_log_level
        if set_level is None:
            raise HttpError(501, "this application cannot change its log level")
        await self._do(attempt, "set log level", level, lambda: set_level(level))
        return ActionOutcome("set log level", detail=level)

    # Private.

    def _crash(self, ref: Ref, who: str) -> None:
        crashed_by = self._inspector.crashed_by
        crashed_by[ref.id] = who
        if len(crashed_by) > REMEMBERED:
            del crashed_by[next(iter(crashed_by))]
        force_exit(ref, CRASH, is_reported=True)

    def _not_root(self, ref: Ref) -> None:
        if self._inspector.is_root(ref):
            raise HttpError(403, "the root of the tree cannot be ended: no supervisor would restart it")

    def _not_ours(self, ref: Ref) -> None:
        """Refuse to suspend the console itself: resuming needs the audit log and the process that serves requests."""
        caller = self_ref()
        ours = [] if caller is None else [caller, *parents(caller)]
        if ref in ours or ref == self._audit.writer:
            raise HttpError(403, "the console depends on this actor and could not resume it")

    async def _on_actor(
        self, attempt: Attempt, action: str, ref: Ref, do: Callable[[], object], *checks: Callable[[Ref], None]
    ) -> ActionOutcome:
        label = ref.label
        attempt.describe(action, repr(ref))
        for check in checks:
            check(ref)
        await attempt.begin()
        if not ref.is_alive():
            raise HttpError(404, f"{label} has ended in the meantime")
        do()
        return ActionOutcome(action, str(ref.id), label)

    async def _do(self, attempt: Attempt, action: str, target: str, do: Callable[[], Any]) -> Any:
        attempt.describe(action, target)
        await attempt.begin()
        return do()


def _is_restarted(ref: Ref) -> None:
    """Refuse to restart an actor that no supervisor would start again."""
    child = child_of(ref)
    if child is None or child.spec.restart is Restart.TEMPORARY:
        raise HttpError(409, "no supervisor would restart it: it has none, or it is temporary")


def _disconnect(wire: Wire) -> None:
    wire.close(CloseCode.POLICY_VIOLATION, "disconnected by an administrator")
    if wire.session.awaits_answer:
        wire.abort()
