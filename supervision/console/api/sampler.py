"""One process: keeps the last hour, and tells those who look. The one thing of the console that runs by itself.

When nobody looks it measures once a second how late the event loop is, and counts all messages once in five: 1 ms of
them with 10,000 actors.
"""

from __future__ import annotations

from typing import Any, Final

from actors import ExitReason, GenServer, send_after
from actors.shown import shown
from supervision.console.api.live import Audience
from supervision.console.inspection.samples import BEAT, BEATS_PER_SAMPLE, Samples
from supervision.console.inspection.snapshot import Snapshot
from supervision.console.inspection.tracing import Traces


class _Beat:
    def __repr__(self) -> str:
        return "BEAT"


_BEAT: Final = _Beat()


@shown("_beats", "_due")
class Sampler(GenServer):
    """Takes samples.

    Args (of `init`):
        snapshot: what it samples
        history: what it fills; outlives it
        audience: whom it tells
        traces: which end with it
    """

    def init(self, snapshot: Snapshot, history: Samples, audience: Audience, traces: Traces) -> None:
        self.trap_exit = True
        self._snapshot = snapshot
        self._history = history
        self._audience = audience
        self._traces = traces
        self._beats = 0
        history.read(self.scheduler)
        self._beat_later()

    def handle_info(self, message: Any) -> Any:
        """Take a sample, if it is time for one."""
        if message is not _BEAT:
            return super().handle_info(message)
        now = self.scheduler.loop.time()
        self._history.note_lag(now - self._due)
        self._beats += 1
        is_due = self._beats % BEATS_PER_SAMPLE == 0
        self._watch_closely(now, is_due)
        if is_due:
            self._history.samples.append(self._snapshot.sample())
        if self._audience:
            self._history.look(now)
            self._audience.tell_changes()
        else:
            self._audience.rest()
        if is_due or self._audience:
            self._history.read(self.scheduler)
        self._beat_later()
        return None

    def terminate(self, reason: ExitReason) -> None:
        """Leave no trace running, and nothing measured."""
        self._traces.stop_all()
        self.scheduler.profile(None)

    def _watch_closely(self, now: float, is_due: bool) -> None:
        """Measure each actor while somebody looks, and only then."""
        if not self._history.is_watched(now):
            self._history.forget_marks()
            self.scheduler.profile(None)
        else:
            self.scheduler.profile(self._snapshot.sources.clock)
            if is_due or self._history.mark is None:
                self._history.set_mark(self.scheduler)

    def _beat_later(self) -> None:
        self._due = self.scheduler.loop.time() + BEAT
        send_after(BEAT, self.ref, _BEAT)
