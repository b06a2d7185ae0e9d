"""Pure. The rules of painting: which colours, where and how often. Each is off unless it is configured."""

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
    """Seconds between two pixels of a user: `shortest` for a user alone, `longest` with `CROWD` users or more."""

    shortest: float
    longest: float

    def seconds(self, user_count: int) -> float:
        """Return the wait in seconds while so many users are connected; linear between the two bounds."""
        return self.shortest + (self.longest - self.shortest) * min(1.0, max(0, user_count - 1) / (CROWD - 1))


CROWD = 1_000
"""Connected users from which on a cooldown has its full length."""


@shown()
@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one canvas.

    Attributes:
        palette: the allowed colours; None for all
        locked: areas in which painting is not allowed
        is_read_only: painting is not allowed at all
        cooldown: the wait between two pixels; None for no wait
        rate_limit: how many pixels, and how many cursor moves, a user may send; None for no limit
    """

    palette: tuple[int, ...] | None = None
    locked: tuple[Area, ...] = ()
    is_read_only: bool = False
    cooldown: Cooldown | None = None
    rate_limit: RateLimit | None = None

    @property
    def are_strict(self) -> bool:
        """Whether `check` can refuse a pixel."""
        return self.is_read_only or self.palette is not None or bool(self.locked)

    def check(self, x: int, y: int, color: int) -> None:
        """Check that a pixel may be painted.

        Raises:
            BadMessage: `read_only`, `color_not_allowed` or `area_locked`, if it may not.
        """
        if self.is_read_only:
            raise BadMessage("read_only", "this canvas is read-only")
        if self.palette is not None and color not in self.palette:
            raise BadMessage("color_not_allowed", f"#{color:06X} is not in the palette of this canvas", "color")
        for area in self.locked:
            if (x, y) in area:
                raise BadMessage("area_locked", f"({x}, {y}) is in a locked area")


class Cooldowns:
    """When each user may paint again. An address may paint `SHARE` pixels in the time in which a user may paint one.

    Time is passed in, in seconds of any monotonic clock. An entry is dropped when its wait is over. So there is at most
    one for each user and address that painted within the longest wait, and never more than `MOST` of each kind.
    """

    def __init__(self, cooldown: Cooldown) -> None:
        self._cooldown = cooldown
        self._users: OrderedDict[str, float] = OrderedDict()  # when each wait ends; the last to paint comes last
        self._addresses: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._users) + len(self._addresses)

    def check(self, who: Painter, user_count: int, now: float) -> None:
        """Check that a user may paint a pixel now.

        Raises:
            BadMessage: `cooldown`, if the last wait is not over.
        """
        seconds = self._cooldown.seconds(user_count)
        spare = seconds * (SHARE - 1) / SHARE
        wait = max(self._users.get(who.user_id, now), self._addresses.get(who.address, now) - spare) - now
        if wait > 1e-6:  # rounding errors of a sum are smaller
            raise BadMessage("cooldown", f"wait {wait:.1f} s before the next pixel", retry_after=wait)

    def begin(self, who: Painter, user_count: int, now: float) -> float:
        """Start the wait for a pixel that a user paints now; return its length in seconds.

        Raises:
            BadMessage: `cooldown`, if the last wait is not over.
        """
        self.check(who, user_count, now)
        seconds = self._cooldown.seconds(user_count)
        _extend(self._users, who.user_id, now, seconds)
        _extend(self._addresses, who.address, now, seconds / SHARE)
        return seconds

    def undo(self, who: Painter, seconds: float, now: float) -> None:
        """Cancel a wait of `seconds` whose pixel could not be committed."""
        _extend(self._users, who.user_id, now, -seconds)
        _extend(self._addresses, who.address, now, -seconds / SHARE)


def _extend(waits: OrderedDict[str, float], key: str, now: float, seconds: float) -> None:
    until = waits.pop(key, now)
    if seconds > 0:
        until = max(until, now)
    waits[key] = until + seconds
    while waits and (len(waits) > MOST or next(iter(waits.values())) <= now):
        waits.popitem(last=False)
