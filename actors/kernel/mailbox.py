"""Pure. The messages a process has not handled yet, oldest first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

HIGH_WATER = 10_000
"""Messages waiting in one mailbox above which a process is reported as overloaded."""


class Mailbox:
    """A FIFO of messages that costs an idle process next to nothing.

    `peak` is the longest it was at the start of a turn. The deque exists only while there are messages: an
    empty one takes 600 bytes, most of what an idle process takes.
    """

    __slots__ = ("high_water", "items", "peak")

    def __init__(self, high_water: int = HIGH_WATER) -> None:
        self.items: deque[Any] | None = None
        self.peak = 0
        self.high_water = high_water

    def __len__(self) -> int:
        return 0 if self.items is None else len(self.items)

    def append(self, message: Any) -> None:
        """Add a message. This alone does not wake the process."""
        self._opened().append(message)

    def prepend(self, message: Any) -> None:
        """Add a message before all others."""
        self._opened().appendleft(message)

    def _opened(self) -> deque[Any]:
        if self.items is None:
            fresh: deque[Any] = deque()  # to make one may run finalizers, which may send messages to this mailbox
            if self.items is None:
                self.items = fresh
        return self.items

    def is_high(self) -> bool:
        """Note the length at the start of a turn; tell whether it passed the high-water mark, once per doubling."""
        waiting = 0 if self.items is None else len(self.items)
        if waiting <= self.peak:
            return False
        self.peak = waiting
        if waiting <= self.high_water:
            return False
        self.high_water = waiting * 2
        return True

    def remove(self, is_wanted: Callable[[Any], bool]) -> None:
        """Remove one message that `is_wanted` accepts, if there is one. Cheap for a message near either end.

        It is searched from both ends at once: of many, the nearest to an end is removed.
        """
        items = self.items
        if not items:
            return
        for distance, (oldest, latest) in enumerate(zip(items, reversed(items), strict=True)):
            if is_wanted(oldest):
                del items[distance]
                return
            if is_wanted(latest):
                del items[-1 - distance]
                return
            if distance * 2 >= len(items):
                return

    def promote(self, is_wanted: Callable[[Any], bool]) -> bool:
        """Move the oldest message that `is_wanted` accepts before all others; tell whether there is one."""
        found = next(filter(is_wanted, self.items or ()), None)
        if found is None:
            return False
        self.remove(lambda message: message is found)
        self.prepend(found)
        return True

    def discard(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove the messages that `unwanted` accepts; the others keep their order."""
        if self.items:
            self.items = deque(message for message in self.items if not unwanted(message))
