"""Pure. Numbers in paths, queries and other texts from outside: one parser for all of them."""

from __future__ import annotations

MAX_INDEX = 10**18 - 1
"""The largest number that is read: it fits into 64 bits."""


def parse_index(text: str, most: int = MAX_INDEX) -> int | None:
    """Read a number from 0 to `most`; return None for any text but 1 to 18 ASCII digits.

    `int` also takes signs, spaces, underscores and the digits of other scripts, and raises for thousands of digits.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MAX_INDEX)):
        return None
    number = int(text)
    return number if number <= most else None
