"""What the console can do to a running system. Each action is in the audit log before it is done, or refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from actors import KILL, SHUTDOWN, Ref, self_ref, send_exit
from actors.debug import force_exit, resume, suspend
from actors.report import inspect_process
from protocol import CloseCode, HttpError
from supervision import Restart
from supervision.base import BaseSupervisor
from supervision.console.audit import Audit
from supervision.console.model import Done, StateText, TraceState
from supervision.console.nodes import parents
from supervision.console.sessions import Visitor
from supervision.console.snapshot import Snapshot
from supervision.console.sources import Sources
from supervision.console.tracing import MAX_LINES, MAX_SECONDS, Traces
from supervision.server import Wire

CRASH = "crash"
"""The reason with which an actor exits that was made to crash."""
RESTART = "restart"
"""The reason with which an actor exits that shall begin anew."""
MAX_STATE = 20_000
"""Characters of the state of one actor that are shown."""
MAX_BAN = 30 * 24 * 3600.0

Reason: TypeAlias = Literal["crash", "shutdown", "kill"]


@dataclass(frozen=True, slots=True)
class Target:
    """What an action is about: the text of the audit log, and its way into the answer."""

    text: str
    ref: str | None = None
    label: str | None = None


class Actions:
    """Does what it is told, if it may be done.

    Args:
        snapshot: finds what is to be acted on
        sources: what the application can do
        audit: where every action is written down
        traces: the traces that run
    """

    def __init__(self, snapshot: Snapshot, sources: Sources, audit: Audit, traces: Traces) -> None:
        self._snapshot = snapshot
        self._sources = sources
        self._audit = audit
        self._traces = traces

    # Actors.

    def exit(self, visitor: Visitor, ref: Ref, reason: Reason) -> Done:
        """End an actor: as if it had crashed, by an order to shut down, or by `KILL`."""
        ends: dict[str, Callable[[], object]] = {
            "crash": lambda: force_exit(ref, CRASH, is_reported=True),
            "shutdown": lambda: send_exit(ref, SHUTDOWN),
            "kill": lambda: send_exit(ref, KILL),
        }
        return self._on_actor(visitor, reason, ref, ends[reason], self._not_root)

    def restart(self, visitor: Visitor, ref: Ref) -> Done:
        """End an actor so that its supervisor starts another in its place."""
        return self._on_actor(visitor, "restart", ref, lambda: force_exit(ref, RESTART), self._not_root, _is_restarted)

    def suspend(self, visitor: Visitor, ref: Ref) -> Done:
        """Let an actor handle nothing but orders to stop."""
        return self._on_actor(visitor, "suspend", ref, lambda: suspend(ref), _not_ours)

    def resume(self, visitor: Visitor, ref: Ref) -> Done:
        """Let a suspended actor go on."""
        return self._on_actor(visitor, "resume", ref, lambda: resume(ref))

    def state(self, visitor: Visitor, ref: Ref) -> StateText:
        """The attributes of an actor."""
        self._on_actor(visitor, "get state", ref, lambda: None)
        cell = ref._cell
        assert cell is not None, "it was alive a moment ago, and nobody ran since"
        seen = inspect_process(cell, size=MAX_STATE)
        return StateText(str(ref.id), ref.label, {name: value.text for name, value in seen.state.items()}, seen.is_cut)

    def trace(self, visitor: Visitor, ref: Ref, lines: int, seconds: float) -> TraceState:
        """Begin to trace an actor."""
        if not (1 <= lines <= MAX_LINES and 0 < seconds <= MAX_SECONDS):
            raise HttpError(400, f"a trace has 1 to {MAX_LINES} lines, and lasts up to {MAX_SECONDS:g} seconds")
        self._on_actor(visitor, "trace", ref, lambda: None)
        return self._traces.begin(ref, lines, seconds).state()

    # Connections.

    def disconnect(self, visitor: Visitor, id: str, wire: Wire) -> Done:
        """Say goodbye to a client."""
        self._do(visitor, "disconnect", Target(f"connection {id} {wire.peer}"), lambda: _disconnect(wire))
        return Done("disconnect", detail=id)

    def ban(self, visitor: Visitor, id: str, wire: Wire, seconds: float) -> Done:
        """Say goodbye to a client and keep its address out."""
        ban = self._sources.ban
        if ban is None:
            raise HttpError(501, "this application cannot ban anybody")
        if not 0 < seconds <= MAX_BAN:
            raise HttpError(400, f"a ban lasts up to {MAX_BAN:g} seconds")

        def keep_out() -> None:
            try:
                ban(wire.address, seconds)
            except OSError as error:
                raise HttpError(503, f"the ban could not be kept: {error.strerror}") from None
            _disconnect(wire)

        self._do(visitor, "ban", Target(f"{wire.address} for {seconds:g} s, connection {id}"), keep_out)
        return Done("ban", detail=wire.address)

    # The application.

    async def drain(self, visitor: Visitor) -> Done:
        """Let nobody in any more, and say goodbye to those who are there."""
        if self._sources.drain is None:
            raise HttpError(501, "this application cannot drain")
        pending = self._do(visitor, "drain", Target(self._sources.application), self._sources.drain)
        if inspect.isawaitable(pending):
            await pending
        return Done("drain")

    def set_log_level(self, visitor: Visitor, level: str) -> Done:
        """Log from this level on."""
        set_level = self._sources.set_log_level
        if set_level is None:
            raise HttpError(501, "this application cannot change its log level")
        self._do(visitor, "set log level", Target(level), lambda: set_level(level))
        return Done("set log level", detail=level)

    # Private.

    def _not_root(self, ref: Ref) -> None:
        if self._snapshot.is_root(ref):
            raise HttpError(403, "the root of the tree cannot be crashed: nobody would restart it")

    def _on_actor(
        self, visitor: Visitor, action: str, ref: Ref, do: Callable[[], object], *checks: Callable[[Ref], None]
    ) -> Done:
        target = Target(repr(ref), str(ref.id), ref.label)
        try:
            for check in checks:
                check(ref)
        except HttpError as error:
            self._audit.write(visitor.who, action, target.text, f"refused: {error.message}")
            raise
        self._do(visitor, action, target, do)
        return Done(action, target.ref, target.label)

    def _do(self, visitor: Visitor, action: str, target: Target, do: Callable[[], Any]) -> Any:
        self._audit.write(visitor.who, action, target.text)
        return do()


def _is_restarted(ref: Ref) -> None:
    """Refuse to end what would not come back."""
    supervisor = None if ref._cell is None or ref._cell.parent is None else ref._cell.parent._process
    child = supervisor.child_of(ref) if isinstance(supervisor, BaseSupervisor) else None
    if child is None or child.spec.restart is Restart.TEMPORARY:
        raise HttpError(409, "nobody would start it again: it has no supervisor, or is temporary")


def _not_ours(ref: Ref) -> None:
    """Refuse what would lock out whoever asks for it."""
    asking = self_ref()
    if asking is not None and ref in (asking, *parents(asking)):
        raise HttpError(403, "this console runs under it, and could not resume it")


def _disconnect(wire: Wire) -> None:
    wire.close(CloseCode.POLICY_VIOLATION, "disconnected by an administrator")
    if wire.session.awaits_answer:
        wire.abort()
