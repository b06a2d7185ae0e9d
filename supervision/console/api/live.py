"""The WebSocket that tells those who look what happens, about once a second, and who they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from actors import ExitReason, Ref, watch
from actors.debug import process_table
from protocol import Binary, CloseCode, Text
from supervision.console.api.encoding import to_json
from supervision.console.api.principals import Principal
from supervision.console.inspection.model.live import Live
from supervision.console.inspection.model.traces import TraceLine
from supervision.console.inspection.snapshot import Snapshot
from supervision.console.inspection.tracing import Trace
from supervision.server import Connection

MAX_STARTED = 200
MAX_ENDED = 500


@dataclass(frozen=True, slots=True)
class Update:
    """What a connection is to send to its peer."""

    text: bytes


@dataclass(slots=True)
class TraceUpdate:
    """What a WebSocket is told of a trace.

    Attributes:
        type: `trace`
        ended: why it is over; None with a line
    """

    type: str
    ref: str
    line: TraceLine | None
    ended: str | None


class Audience:
    """Those who look. No process: it outlives the sampler that tells them.

    Args:
        snapshot: what they see
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._viewers: dict[Ref, Principal] = {}
        self._known: set[int] = set()

    def __len__(self) -> int:
        return len(self._viewers)

    def join(self, ref: Ref, visitor: Principal) -> None:
        """Tell the connection of a visitor from now on, until it ends."""
        self._known = self._known or set(process_table())
        self._viewers[ref] = visitor
        watch(ref, self._left)

    def _left(self, ref: Ref, _reason: ExitReason) -> None:
        self._viewers.pop(ref, None)

    def rest(self) -> None:
        """Nobody looks: whoever comes next begins anew. Not before a beat, for a viewer's actor may have crashed."""
        self._known = set()

    def first(self, *, is_cut: bool = False) -> bytes:
        """What a newcomer is told at once; and with `is_cut` whoever has missed something."""
        return to_json(Live("live", self._snapshot.overview(), [], [], [], is_cut))

    def tell_changes(self) -> None:
        """Tell them what has changed since the last time. Takes 3 ms with 10,000 actors."""
        processes = process_table()
        started = sorted(processes.keys() - self._known)
        ended = sorted(self._known - processes.keys())
        self._known = set(processes)
        shown = [processes[number].ref for number in started[:MAX_STARTED]]
        self._tell(
            Live(
                type="live",
                overview=self._snapshot.overview(),
                started=self._snapshot.rows(shown),
                ended=[str(number) for number in ended[:MAX_ENDED]],
                restarted=[str(ref.id) for ref in shown if ref.restarts],
                is_cut=len(started) > MAX_STARTED or len(ended) > MAX_ENDED,
            ),
            self._viewers,
        )

    def tell_trace(self, trace: Trace, line: TraceLine | None) -> None:
        """Tell a line of a trace, or its end, to those who read it."""
        readers = [ref for ref, visitor in self._viewers.items() if visitor.who in trace.readers]
        self._tell(TraceUpdate("trace", str(trace.ref.id), line, trace.ended), readers)

    def _tell(self, value: Any, viewers: Iterable[Ref]) -> None:
        update = Update(to_json(value))
        for ref in viewers:
            ref.tell(update)


class LiveHandler:
    """The handler of one such WebSocket."""

    def __init__(self, connection: Connection, audience: Audience, visitor: Principal) -> None:
        self._connection = connection
        self._audience = audience
        self._visitor = visitor
        self._has_missed = False

    def opened(self) -> None:
        """Show the overview at once, the rest as it comes."""
        self._audience.join(self._connection.ref, self._visitor)
        self._connection.send_text(self._audience.first())

    def received(self, message: Text | Binary) -> None:
        """Nothing it could say means anything, and to read it costs time that others need."""
        self._connection.close(CloseCode.POLICY_VIOLATION, "no messages are taken here")

    def drained(self) -> None:
        """Nothing to do."""

    def informed(self, message: Any) -> None:
        """Pass it on while the session lasts; a viewer that does not keep up is spared some, and told so."""
        if not self._visitor.is_welcome():
            self._connection.close(CloseCode.POLICY_VIOLATION, "the session is over")
        elif isinstance(message, Update):
            self._pass_on(message)

    def _pass_on(self, update: Update) -> None:
        if self._connection.wire.is_congested:
            self._has_missed = True
            return
        if self._has_missed:
            self._has_missed = False
            self._connection.send_text(self._audience.first(is_cut=True))
        self._connection.send_text(update.text)

    def closed(self, code: int, reason: str) -> None:
        """Nothing to do: the audience watches the connection."""
