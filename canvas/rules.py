"""Pure. What may be painted, where, by whom and how often. All of it is off unless it is configured."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from canvas.area import Area
from canvas.errors import BadMessage
from canvas.rate_limit import RateLimit


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Seconds that somebody waits between two pixels: `shortest` alone, `longest` among `CROWD` people or more."""

    shortest: float
    longest: float

    def seconds(self, people: int) -> float:
        """The wait while so many are there."""
        return self.shortest + (self.longest - self.shortest) * min(1.0, max(0, people - 1) / (CROWD - 1))


CROWD = 1_000


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
    """When each user may paint again. It outlives connections, so that reconnecting wins nobody time.

    Time is passed in, in seconds of any clock that does not go back. Whose wait is over is forgotten, so it holds at
    most as many as have painted within the longest wait.
    """

    def __init__(self, cooldown: Cooldown) -> None:
        self._cooldown = cooldown
        self._until: OrderedDict[str, float] = OrderedDict()  # who painted longest ago first

    def begin(self, user_id: str, people: int, now: float) -> None:
        """Let somebody paint a pixel, and wait from now on.

        Raises:
            BadMessage: `cooldown`, if the last wait is not over.
        """
        self._forget(now)
        until = self._until.get(user_id, now)
        if until > now:
            wait = until - now
            raise BadMessage("cooldown", f"wait {wait:.1f} s before the next pixel", retry_after=wait)
        self._until[user_id] = now + self._cooldown.seconds(people)
        self._until.move_to_end(user_id)

    def _forget(self, now: float) -> None:
        while self._until and now >= next(iter(self._until.values())):
            self._until.popitem(last=False)
