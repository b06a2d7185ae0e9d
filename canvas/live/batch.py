"""Pure. One batch: which of the painted pixels become changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from actors.shown import shown
from canvas.board.errors import BadMessage
from canvas.board.grid import Change, Grid
from canvas.live.room import Allowances, Room, Viewer


@shown("is_open", "waits")
@dataclass(slots=True)
class Selection:
    """What a batch has done with the pixels of one message.

    Attributes:
        is_open: whether the message has to wait for the commit before it is answered
        refused: why pixels were refused that came too early for the cooldown; None if none were
        waits: the cooldowns in seconds that its changes have started
    """

    is_open: bool
    refused: BadMessage | None = None
    waits: list[float] = field(default_factory=list)

    @property
    def early(self) -> tuple[tuple[int, int], ...]:
        """The pixels that came too early, as (x, y)."""
        return () if self.refused is None else self.refused.pixels

    def cancel_waits(self, allowances: Allowances, viewer: Viewer | None, now: float) -> None:
        """Cancel the cooldowns, because the commit failed."""
        if allowances.cooldowns is not None and viewer is not None:
            for wait in self.waits:
                allowances.cooldowns.undo(viewer.painter, wait, now)


@dataclass(slots=True)
class BatchBuilder:
    """Collects the changes of one batch, and is dropped when the batch is complete.

    Attributes:
        grid: the canvas before the batch
        room: the room whose cooldowns apply
        now: returns the loop time
        changes: the changes so far, numbered from `grid.seq + 1`
    """

    grid: Grid
    room: Room
    now: Callable[[], float]
    changes: list[Change] = field(default_factory=list)
    _colors: dict[tuple[int, int], int] = field(default_factory=dict)  # what `changes` do to `grid`

    def add(self, painted: Sequence[Change], viewer: Viewer | None, id_: int | None, *, is_open: bool) -> Selection:
        """Add the pixels of a message that become changes: not those that have their colour, or come too early.

        A pixel that has its colour because of an earlier change in the batch still depends on the commit.
        """
        selection = Selection(is_open)
        early: list[tuple[int, int]] = []
        why: BadMessage | None = None
        for change in painted:
            place = change.x, change.y
            color = self._colors.get(place)
            if change.color == (self.grid.color(*place) if color is None else color):
                selection.is_open |= color is not None
            elif (error := self._start_cooldown(viewer, selection)) is not None:
                early.append(place)
                why = why or error
            else:
                selection.is_open = True
                self._colors[place] = change.color
                self.changes.append(change)
                change.seq = self.grid.seq + len(self.changes)
        if why is not None:
            selection.refused = why.about(id_, early)
        return selection

    def _start_cooldown(self, viewer: Viewer | None, selection: Selection) -> BadMessage | None:
        """Start the cooldown for one pixel; return the error if the previous one is not over."""
        cooldowns = self.room.allowances.cooldowns
        if cooldowns is None or viewer is None:
            return None
        try:
            wait = cooldowns.begin(viewer.painter, self.room.user_count, self.now())
        except BadMessage as error:
            return error
        selection.waits.append(wait)
        return None


def select_unchanged(
    changes: Sequence[Change], seen: Sequence[int], grid: Grid, committing: Iterable[Change], queued: Iterable[Change]
) -> list[Change]:
    """Return the changes whose pixel still has the colour in `seen`, at the same index, and will keep it.

    A pixel will not keep its colour if it is in the batch under way, or if a queued change gives it another colour.
    """
    newer = {(change.x, change.y) for change in committing}
    newer.update((change.x, change.y) for change in queued if change.color != grid.color(change.x, change.y))
    pairs = zip(changes, seen, strict=True)
    return [c for c, color in pairs if grid.color(c.x, c.y) == color and (c.x, c.y) not in newer]
