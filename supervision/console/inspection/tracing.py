"""Traces: the messages that an actor receives, and its replies, for a limited time.

A trace ends after a number of lines or seconds, and at once if messages arrive faster than `MAX_RATE` (recon_trace).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

from actors import Call, Cast, ExitReason, Ref, Scheduler, watch
from actors.debug import inspect, trace
from actors.describe import describe
from actors.failures import describe_reason
from supervision.console.inspection.model.traces import TraceLine, TraceState

MAX_LINES = 1_000
MAX_SECONDS = 60.0
MAX_RATE = 200
"""Messages per second above which a trace ends, because it would slow down the actor."""
KEPT = 20
"""Traces that are kept, running or ended; a new one displaces the oldest."""

Tell = Callable[["Trace", TraceLine | None], object]


class Trace:
    """One trace.

    Args:
        ref: the actor to trace
        lines: lines after which the trace ends
        seconds: seconds after which the trace ends
        reader: the principal who started it, as the audit log names them
        tell: called with each line, and with None at the end

    Attributes:
        readers: the principals whose reading of this trace is in the audit log; they receive its lines
    """

    def __init__(self, ref: Ref, lines: int, seconds: float, reader: str, tell: Tell) -> None:
        self.ref = ref
        self.lines: list[TraceLine] = []
        self.readers: set[str] = {reader}
        self.ended: str | None = None
        self._left = lines
        self._tell = tell
        self._loop = Scheduler.current().loop
        self._began = self._loop.time()
        self._second = (0, 0)
        self._timer = self._loop.call_later(seconds, self.end, "the time limit was reached")
        self._unwatch = watch(ref, self._target_ended)
        trace(ref, self._received)

    def state(self) -> TraceState:
        """Return the trace so far."""
        return TraceState(str(self.ref.id), self.ref.label, self.ended, self.lines)

    def end(self, why: str) -> None:
        """End the trace, unless it has ended."""
        if self.ended is not None:
            return
        self.ended = why
        self._timer.cancel()
        self._unwatch()
        if self.ref.is_alive():
            trace(self.ref, None)
        self._tell(self, None)

    def _target_ended(self, _ref: Ref, reason: ExitReason) -> None:
        self.end(f"the actor ended: {describe_reason(reason)}")

    def _received(self, message: Any) -> None:
        second, count = self._second
        now = int(self._loop.time() - self._began)
        self._second = (now, count + 1 if now == second else 1)
        if self._second[1] > MAX_RATE:
            self.end(f"more than {MAX_RATE} messages in a second")
            return
        match message:
            case Call(request):
                caller = None if message.caller is None else repr(message.caller)
                message.when_answered(partial(self._note, "reply"))
                self._note("call", request, caller)
            case Cast(request):
                self._note("cast", request)
            case _:
                self._note("message", message)

    def _note(self, kind: str, value: Any, caller: str | None = None) -> None:
        if self.ended is not None:
            return
        line = TraceLine(round(self._loop.time() - self._began, 6), kind, self._describe(value), caller)
        self.lines.append(line)
        self._tell(self, line)
        self._left -= 1
        if self._left <= 0:
            self.end("the line limit was reached")

    def _describe(self, value: Any) -> str:
        seen = inspect(self.ref, value)
        if seen is None:
            return describe(value)
        return "None" if seen.message is None else seen.message.text


class Traces:
    """The latest traces, running or ended.

    Args:
        tell: called with each line of any trace, and with None at its end
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._traces: OrderedDict[Ref, Trace] = OrderedDict()

    def begin(self, ref: Ref, lines: int, seconds: float, reader: str) -> Trace:
        """Start a trace of `ref`. Ends a running trace of it."""
        self.stop(ref)
        self._traces[ref] = begun = Trace(ref, lines, seconds, reader, self._tell)
        self._traces.move_to_end(ref)
        while len(self._traces) > KEPT:
            self._traces.popitem(last=False)[1].end("too many traces")
        return begun

    def stop(self, ref: Ref) -> Trace | None:
        """End the trace of `ref`, if there is one."""
        found = self._traces.get(ref)
        if found is not None:
            found.end("it was stopped")
        return found

    def find(self, number: int) -> Trace | None:
        """Return the latest trace of the process with this number, which may be dead; None if there is none."""
        return next((found for ref, found in self._traces.items() if ref.id == number), None)

    def stop_all(self) -> None:
        """End all traces."""
        for found in self._traces.values():
            found.end("the console is stopping")
