"""The WebSocket that streams changes to the console's viewers, about once a second, and the list of these viewers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from actors import ExitReason, Ref, watch
from actors.debug import process_table
from protocol import Binary, CloseCode, Text
from supervision.console.api.encoding import to_json
from supervision.console.api.principals import Principal
from supervision.console.inspection.inspector import Inspector
from supervision.console.inspection.model.live import Live
from supervision.console.inspection.model.traces import TraceLine
from supervision.console.inspection.tracing import Trace
from supervision.server import Connection

MAX_STARTED = 200
MAX_ENDED = 500


@dataclass(frozen=True, slots=True)
class Update:
    """A message for the actor of a viewer's connection: send this text to the client."""

    text: bytes


@dataclass(slots=True)
class TraceUpdate:
    """A line of a trace, or its end, as the WebSocket sends it.

    Attributes:
        type: `trace`
        ended: why the trace ended; None with a line
    """

    type: str
    ref: str
    line: TraceLine | None
    ended: str | None


class Audience:
    """The viewers of the console. Not a process: it outlives the sampler that updates them.

    Args:
        inspector: reads what the viewers see
    """

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._viewers: dict[Ref, Principal] = {}
        self._known: set[int] = set()

    def __len__(self) -> int:
        return len(self._viewers)

    def join(self, ref: Ref, principal: Principal) -> None:
        """Add a viewer: the connection actor `ref` receives updates until it ends."""
        self._known = self._known or set(process_table())
        self._viewers[ref] = principal
        watch(ref, self._left)

    def _left(self, ref: Ref, _reason: ExitReason) -> None:
        self._viewers.pop(ref, None)

    def forget(self) -> None:
        """Forget the known actors when there are no viewers.

        The sampler calls this at a beat, not when the last viewer leaves: a crashed actor may rejoin until then.
        """
        self._known = set()

    def first(self, *, is_cut: bool = False) -> bytes:
        """Return the first message to a new viewer; with `is_cut`, the message to one that has missed some."""
        return to_json(Live("live", self._inspector.overview(), [], [], [], is_cut))

    def tell_changes(self) -> None:
        """Send all viewers the changes since the last call. Takes 3 ms with 10,000 actors."""
        processes = process_table()
        started = sorted(processes.keys() - self._known)
        ended = sorted(self._known - processes.keys())
        self._known = set(processes)
        shown = [processes[number].ref for number in started[:MAX_STARTED]]
        self._tell(
            Live(
                type="live",
                overview=self._inspector.overview(),
                started=self._inspector.rows(shown),
                ended=[str(number) for number in ended[:MAX_ENDED]],
                restarted=[str(ref.id) for ref in shown if ref.restarts],
                is_cut=len(started) > MAX_STARTED or len(ended) > MAX_ENDED,
            ),
            self._viewers,
        )

    def tell_trace(self, trace: Trace, line: TraceLine | None) -> None:
        """Send a line of a trace, or its end (None), to the viewers who read the trace."""
        readers = [ref for ref, principal in self._viewers.items() if principal.who in trace.readers]
        self._tell(TraceUpdate("trace", str(trace.ref.id), line, trace.ended), readers)

    def _tell(self, value: Any, viewers: Iterable[Ref]) -> None:
        update = Update(to_json(value))
        for ref in viewers:
            ref.tell(update)


class LiveHandler:
    """Handles one WebSocket of a viewer."""

    def __init__(self, connection: Connection, audience: Audience, principal: Principal) -> None:
        self._connection = connection
        self._audience = audience
        self._principal = principal
        self._has_missed = False

    def opened(self) -> None:
        """Send the overview at once; updates follow."""
        self._audience.join(self._connection.ref, self._principal)
        self._connection.send_text(self._audience.first())

    def received(self, message: Text | Binary) -> None:
        """Close the connection: the protocol has no client messages, and parsing them would cost time."""
        self._connection.close(CloseCode.POLICY_VIOLATION, "this endpoint accepts no messages")

    def drained(self) -> None:
        """Nothing to do."""

    def informed(self, message: Any) -> None:
        """Send an update while the session lasts. A slow viewer misses some, and is then told so by `is_cut`."""
        if not self._principal.is_welcome():
            self._connection.close(CloseCode.POLICY_VIOLATION, "the session has ended")
        elif isinstance(message, Update):
            self._send(message)

    def _send(self, update: Update) -> None:
        if self._connection.wire.is_congested:
            self._has_missed = True
            return
        if self._has_missed:
            self._has_missed = False
            self._connection.send_text(self._audience.first(is_cut=True))
        self._connection.send_text(update.text)

    def closed(self, code: int, reason: str) -> None:
        """Nothing to do: the audience monitors the connection's actor."""
