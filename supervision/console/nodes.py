"""The tree: which actors are shown of it, and those above and below them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, cast

import orjson

from actors import Ref
from actors.cell import Cell
from supervision.base import BaseSupervisor
from supervision.console.encoding import to_json
from supervision.console.model import Node
from supervision.console.slices import Look

FILTERS: dict[str, Callable[[Cell], bool]] = {
    "supervisors": lambda cell: isinstance(cell.process, BaseSupervisor),
    "restarted": lambda cell: cell.ref.restarts > 0,
    "waiting": lambda cell: len(cell.mailbox) > 0,
    "suspended": lambda cell: cell.status.value == "suspended",
}
"""What the tree can be narrowed down to; `waiting`: messages wait for it."""


async def grow(
    look: Look, cells: list[Cell], top: Cell, *, depth: int | None, limit: int | None, search: str, only: str
) -> Node | None:
    """Make the tree under `top` of those of `cells` that are wanted; see `Snapshot.tree`. None if `top` has ended."""
    if search or only:
        is_wanted = FILTERS[only] if only else _any
        cells = await _with_parents(look, cells, lambda cell: matches(cell, search) and is_wanted(cell))
    below: defaultdict[Ref | None, list[Cell]] = defaultdict(list)
    async for chunk in look.chunks(cells):
        for cell in chunk:
            below[cell.parent].append(cell)
    return await _grow(look, top, below, depth, limit) if top.ref.is_alive() else None


async def encode_tree(look: Look, top: Node) -> bytes:
    """Encode a tree as JSON, the deepest nodes first, a slice at a time; afterwards the nodes have no children left."""
    above: list[Node] = []
    level = [top]
    while level:
        above += level
        level = [
            child async for chunk in look.chunks(level) for node in chunk for child in node.children if child.children
        ]
    for node in reversed(above):
        texts = [to_json(chunk)[1:-1] async for chunk in look.chunks(node.children)]
        node.children = cast(Any, orjson.Fragment(b"[" + b",".join(texts) + b"]"))
    return to_json(top)


def matches(cell: Cell, search: str) -> bool:
    """Tell whether its label or kind has `search` in it, or its number is that."""
    if not search:
        return True
    needle, ref = search.lower(), cell.ref
    return needle in ref.label.lower() or needle == str(ref.id) or needle in type(cell.process).__name__.lower()


def parents(ref: Ref) -> Iterator[Ref]:
    """Who started it, who started that one, and so on."""
    cell = ref._cell
    while cell is not None and cell.parent is not None:
        yield cell.parent
        cell = cell.parent._cell


async def _with_parents(look: Look, cells: list[Cell], is_wanted: Callable[[Cell], bool]) -> list[Cell]:
    """The cells that match, and those above them."""
    kept: set[Ref] = set()
    async for chunk in look.chunks(cells):
        for cell in chunk:
            if not (cell.ref.is_alive() and is_wanted(cell)):
                continue
            kept.add(cell.ref)
            for parent in parents(cell.ref):
                if parent in kept:
                    break
                kept.add(parent)
    return [cell for cell in cells if cell.ref in kept]


async def _grow(
    look: Look, top: Cell, below: dict[Ref | None, list[Cell]], depth: int | None, limit: int | None
) -> Node:
    """Make the nodes, level by level."""
    root = _node(top, below)
    level = [(root, top.ref)]
    while level and (depth is None or depth > 0):
        depth = None if depth is None else depth - 1
        following: list[tuple[Node, Ref]] = []
        for node, ref in level:
            async for chunk in look.chunks(below.get(ref, [])[:limit]):
                for cell in chunk:
                    if not cell.ref.is_alive():  # it has ended since the look began
                        continue
                    child = _node(cell, below)
                    node.children.append(child)
                    if child.count:
                        following.append((child, cell.ref))
        level = following
    return root


def _node(cell: Cell, below: dict[Ref | None, list[Cell]]) -> Node:
    ref = cell.ref
    return Node(
        ref=str(ref.id),
        label=_unicode(ref.label),
        kind=_unicode(type(cell.process).__name__),
        state=cell.status.value,
        restarts=ref.restarts,
        mailbox=len(cell.mailbox),
        count=len(below.get(ref, ())),
    )


def _unicode(text: str) -> str:
    """Replace lone surrogates, which JSON cannot hold."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _any(_: Cell) -> bool:
    return True
