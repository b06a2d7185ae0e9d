"""One process: records the last hour, and updates the viewers. No other part of the console runs on its own.

Without viewers it measures the lag of the event loop once a second, and counts all messages every 5 s, which takes 1 ms
with 10,000 actors.
"""

from __future__ import annotations

from typing import Any, Final

from actors import ExitReason, GenServer, send_after
from actors.shown import shown
from supervision.console.api.live import Audience
from supervision.console.inspection.inspector import Inspector
from supervision.console.inspection.samples import BEAT, BEATS_PER_SAMPLE, Samples
from supervision.console.inspection.tracing import Traces


class _Beat:
    def __repr__(self) -> str:
        return "BEAT"


_BEAT: Final = _Beat()


@shown("_beats", "_due")
class Sampler(GenServer):
    """Takes the samples.

    Args (of `init`):
        inspector: reads the system
        history: receives the samples; outlives the process
        audience: receives the updates; outlives the process
        traces: the traces to end with the process
    """

    def init(self, inspector: Inspector, history: Samples, audience: Audience, traces: Traces) -> None:
        self.trap_exit = True
        self._inspector = inspector
        self._history = history
        self._audience = audience
        self._traces = traces
        self._beats = 0
        history.read(self.scheduler)
        self._beat_later()

    def handle_info(self, message: Any) -> Any:
        """At each beat measure the lag, take a sample if one is due, and update the viewers."""
        if message is not _BEAT:
            return super().handle_info(message)
        now = self.scheduler.loop.time()
        self._history.note_lag(now - self._due)
        self._beats += 1
        is_due = self._beats % BEATS_PER_SAMPLE == 0
        self._profile(now, is_due)
        if is_due:
            self._history.samples.append(self._inspector.sample())
        if self._audience:
            self._history.note_viewer(now)
            self._audience.tell_changes()
        else:
            self._audience.forget()
        if is_due or self._audience:
            self._history.read(self.scheduler)
        self._beat_later()
        return None

    def terminate(self, reason: ExitReason) -> None:
        """End all traces, and stop the profiling."""
        self._traces.stop_all()
        self.scheduler.profile(None)

    def _profile(self, now: float, is_due: bool) -> None:
        """Measure each actor only while there are viewers."""
        if not self._history.is_watched(now):
            self._history.forget_marks()
            self.scheduler.profile(None)
        else:
            self.scheduler.profile(self._inspector.sources.clock)
            if is_due or self._history.mark is None:
                self._history.set_mark(self.scheduler)

    def _beat_later(self) -> None:
        self._due = self.scheduler.loop.time() + BEAT
        send_after(BEAT, self.ref, _BEAT)
