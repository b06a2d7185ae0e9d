"""Pure. What may be painted, where, by whom and how often. All of it is off unless it is configured."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from actors.shown import shown
from canvas.board.area import Area
from canvas.board.errors import BadMessage
from supervision.server.rate_limit import MOST, SHARE, Painter, RateLimit


@shown()
@dataclass(frozen=True, slots=True)
class Cooldown:
    """Seconds that somebody waits between two pixels: `shortest` alone, `longest` among `CROWD` user_count or more."""

    shortest: float
    longest: float

    def seconds(self, user_count: int) -> float:
        """The wait while so many are there."""
        return self.shortest + (self.longest - self.shortest) * min(1.0, max(0, user_count - 1) / (CROWD - 1))


CROWD = 1_000


@shown()
@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one canvas.

    Attributes:
        palette: the colours that may be used; None for all
        locked: where nobody may paint
        is_read_only: nobody may paint at all
        cooldown: None for none
        rate_limit: pixels, and likewise cursor moves, of one visitor; None for no limit
    """

    palette: tuple[int, ...] | None = None
    locked: tuple[Area, ...] = ()
    is_read_only: bool = False
    cooldown: Cooldown | None = None
    rate_limit: RateLimit | None = None

    @property
    def are_strict(self) -> bool:
        """Whether `check` can refuse anything."""
        return self.is_read_only or self.palette is not None or bool(self.locked)

    def check(self, x: int, y: int, color: int) -> None:
        """Judge one pixel.

        Raises:
            BadMessage: if it may not be painted: `read_only`, `color_not_allowed` or `area_locked`.
        """
        if self.is_read_only:
            raise BadMessage("read_only", "this canvas is for looking only")
        if self.palette is not None and color not in self.palette:
            raise BadMessage("color_not_allowed", f"#{color:06X} is not in the palette of this canvas", "color")
        for area in self.locked:
            if (x, y) in area:
                raise BadMessage("area_locked", f"({x}, {y}) is in a locked area")


class Cooldowns:
    """When each user may paint again. An address may paint `SHARE` pixels in the time in which a user may paint one.

    Time is passed in, in seconds of any clock that does not go back. Whose wait is over is forgotten, so it holds at
    most as many as have painted within the longest wait, and never more than `MOST`.
    """

    def __init__(self, cooldown: Cooldown) -> None:
        self._cooldown = cooldown
        self._users: OrderedDict[str, float] = OrderedDict()  # until when they wait; the last one to paint last
        self._addresses: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._users) + len(self._addresses)

    def check(self, who: Painter, user_count: int, now: float) -> None:
        """Judge whether somebody may paint a pixel now.

        Raises:
            BadMessage: `cooldown`, if the last wait is not over.
        """
        seconds = self._cooldown.seconds(user_count)
        spare = seconds * (SHARE - 1) / SHARE
        wait = max(self._users.get(who.user_id, now), self._addresses.get(who.address, now) - spare) - now
        if wait > 1e-6:  # a sum of parts may be off by that much
            raise BadMessage("cooldown", f"wait {wait:.1f} s before the next pixel", retry_after=wait)

    def begin(self, who: Painter, user_count: int, now: float) -> float:
        """Let somebody paint a pixel, and wait from now on; returns for how long.

        Raises:
            BadMessage: `cooldown`, if the last wait is not over.
        """
        self.check(who, user_count, now)
        seconds = self._cooldown.seconds(user_count)
        _extend(self._users, who.user_id, now, seconds)
        _extend(self._addresses, who.address, now, seconds / SHARE)
        return seconds

    def undo(self, who: Painter, seconds: float, now: float) -> None:
        """The pixel of a wait that began with so many seconds could not be kept: the wait is none."""
        _extend(self._users, who.user_id, now, -seconds)
        _extend(self._addresses, who.address, now, -seconds / SHARE)


def _extend(waits: OrderedDict[str, float], key: str, now: float, seconds: float) -> None:
    until = waits.pop(key, now)
    if seconds > 0:
        until = max(until, now)
    waits[key] = until + seconds
    while waits and (len(waits) > MOST or next(iter(waits.values())) <= now):
        waits.popitem(last=False)
