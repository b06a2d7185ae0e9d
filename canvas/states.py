"""Pure. States of the canvas: the last ones that were made, and who waits for one."""

from __future__ import annotations

from collections.abc import Mapping

from canvas.encoder import Want
from canvas.room import Viewer
from canvas.showing import is_there, want_of

KEPT = 8
"""States that are kept for the next who needs the same."""


class States:
    """Who comes while states are being made waits for the next ones: those would be too old."""

    def __init__(self) -> None:
        self._kept: dict[Want, tuple[int, bytes]] = {}
        self._waiting: list[Viewer] = []
        self._encoding: list[Viewer] = []

    def find(self, want: Want) -> tuple[int, bytes] | None:
        """The last state of this kind, and after which change it is."""
        return self._kept.get(want)

    def keep(self, seq: int, frames: Mapping[Want, bytes | None]) -> None:
        """Keep states after change `seq`."""
        for want, state in frames.items():
            self._kept.pop(want, None)
            if state is not None:
                self._kept[want] = seq, state
        for old in list(self._kept)[:-KEPT]:
            del self._kept[old]

    def forget(self) -> None:
        """Keep none, and expect none to come: who waited for one waits for another."""
        self._kept.clear()
        self._waiting, self._encoding = self._encoding + self._waiting, []

    def wait(self, viewer: Viewer) -> None:
        """Note that a viewer waits for its state."""
        self._waiting.append(viewer)

    def take_wants(self) -> tuple[Want, ...]:
        """The states to make now, each once; none while others are being made."""
        if self._encoding:
            return ()
        self._encoding, self._waiting = list(filter(_waits, self._waiting)), []
        return tuple(dict.fromkeys(map(want_of, self._encoding)))

    def take_viewers(self) -> list[Viewer]:
        """Those for whom the states were made that have come, and who still wait."""
        viewers, self._encoding = self._encoding, []
        return list(filter(_waits, viewers))


def _waits(viewer: Viewer) -> bool:
    return viewer.view.is_waiting and is_there(viewer)
