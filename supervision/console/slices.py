"""Long lists in slices: after each one others have a turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

SLICE = 1_000
"""Items that are looked at before others have a turn: some 2 ms of them."""


async def sliced(items: Sequence[T]) -> AsyncIterator[T]:
    """Go through `items`, and let others run after each `SLICE` of them."""
    for begin in range(0, len(items), SLICE):
        if begin:
            await asyncio.sleep(0)
        for item in items[begin : begin + SLICE]:
            yield item


async def page_of(items: Sequence[T], key: Callable[[T], Any], descending: bool, offset: int, limit: int) -> list[T]:
    """Sort `items`, those with equal keys as they were, and cut out a page."""
    keys = [key(item) async for item in sliced(items)]
    order = sorted(range(len(items)), key=keys.__getitem__, reverse=descending)
    return [items[index] for index in order[offset : offset + limit]]
