"""Pure. The mailbox: messages that a process has not handled yet, oldest first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

HIGH_WATER = 10_000
"""Length of a mailbox, in messages, above which its process is logged as overloaded."""


class Mailbox:
    """A FIFO of messages that costs an idle process almost nothing.

    `peak` is the greatest length at the start of a turn. The deque exists only while there are messages: an empty one
    takes 600 bytes, most of an idle process's memory.
    """

    __slots__ = ("high_water", "items", "peak")

    def __init__(self, high_water: int = HIGH_WATER) -> None:
        self.items: deque[Any] | None = None
        self.peak = 0
        self.high_water = high_water

    def __len__(self) -> int:
        return 0 if self.items is None else len(self.items)

    def append(self, message: Any) -> None:
        """Add a message, without waking the process."""
        self._ensure_items().append(message)

    def prepend(self, message: Any) -> None:
        """Add a message in front of all others."""
        self._ensure_items().appendleft(message)

    def _ensure_items(self) -> deque[Any]:
        if self.items is None:
            fresh: deque[Any] = deque()  # this may run finalizers, which may send messages to this mailbox
            if self.items is None:
                self.items = fresh
        return self.items

    def is_high(self) -> bool:
        """Update `peak` at the start of a turn; return whether the high-water mark, which then doubles, is exceeded."""
        waiting = 0 if self.items is None else len(self.items)
        if waiting <= self.peak:
            return False
        self.peak = waiting
        if waiting <= self.high_water:
            return False
        self.high_water = waiting * 2
        return True

    def remove(self, is_wanted: Callable[[Any], bool]) -> None:
        """Remove one message for which `is_wanted` is true, if any. Cheap for a message near either end.

        It searches from both ends at once: of several, it removes the one nearest to an end.
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
        """Move the oldest message for which `is_wanted` is true to the front; return whether there is one."""
        found = next(filter(is_wanted, self.items or ()), None)
        if found is None:
            return False
        self.remove(lambda message: message is found)
        self.prepend(found)
        return True

    def discard(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove the messages for which `unwanted` is true; the others keep their order."""
        if self.items:
            self.items = deque(message for message in self.items if not unwanted(message))
