"""Selects the actors of the tree: by a filter or a search, with their ancestors, and down to a depth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from actors import Ref
from actors.debug import ProcessView, view
from supervision.base import BaseSupervisor
from supervision.console.inspection.model.actors import Node
from supervision.console.inspection.paging import Inspection

FILTERS: dict[str, Callable[[ProcessView], bool]] = {
    "supervisors": lambda process: issubclass(process.ref.actor_class, BaseSupervisor),
    "restarted": lambda process: process.ref.restarts > 0,
    "waiting": lambda process: len(process.mailbox) > 0,
    "suspended": lambda process: process.status.value == "suspended",
}
"""The filters of the tree; `waiting`: the actor's mailbox is not empty."""


async def grow(
    inspection: Inspection,
    processes: list[ProcessView],
    top: ProcessView,
    *,
    depth: int | None,
    limit: int | None,
    search: str,
    only: str,
) -> Node | None:
    """Build the tree under `top` from `processes`, see `Inspector.tree`; None if `top` has ended."""
    if search or only:
        passes = FILTERS[only] if only else _any
        processes = await _with_parents(
            inspection, processes, lambda process: matches(process, search) and passes(process)
        )
    below: defaultdict[Ref | None, list[ProcessView]] = defaultdict(list)
    async for chunk in inspection.chunks(processes):
        for process in chunk:
            below[process.parent].append(process)
    return await _grow(inspection, top, below, depth, limit) if top.ref.is_alive() else None


def matches(process: ProcessView, search: str) -> bool:
    """Tell whether a process's label or kind contains `search`, or its number is `search`."""
    if not search:
        return True
    needle, ref = search.lower(), process.ref
    return needle in ref.label.lower() or needle == str(ref.id) or needle in ref.actor_class.__name__.lower()


def parents(ref: Ref) -> Iterator[Ref]:
    """Yield the ancestors of an actor, its parent first."""
    process = view(ref)
    while process is not None and process.parent is not None:
        yield process.parent
        process = view(process.parent)


async def _with_parents(
    inspection: Inspection, processes: list[ProcessView], passes: Callable[[ProcessView], bool]
) -> list[ProcessView]:
    """Return the processes that match, and their ancestors."""
    kept: set[Ref] = set()
    async for chunk in inspection.chunks(processes):
        for process in chunk:
            if not (process.ref.is_alive() and passes(process)):
                continue
            kept.add(process.ref)
            for parent in parents(process.ref):
                if parent in kept:
                    break
                kept.add(parent)
    return [process for process in processes if process.ref in kept]


async def _grow(
    inspection: Inspection,
    top: ProcessView,
    below: dict[Ref | None, list[ProcessView]],
    depth: int | None,
    limit: int | None,
) -> Node:
    """Build the nodes level by level."""
    root = _node(top, below)
    level = [(root, top.ref)]
    while level and (depth is None or depth > 0):
        depth = None if depth is None else depth - 1
        following: list[tuple[Node, Ref]] = []
        for node, ref in level:
            async for chunk in inspection.chunks(below.get(ref, [])[:limit]):
                for process in chunk:
                    if not process.ref.is_alive():  # it has ended since the inspection began
                        continue
                    child = _node(process, below)
                    node.children.append(child)
                    if child.count:
                        following.append((child, process.ref))
        level = following
    return root


def _node(process: ProcessView, below: dict[Ref | None, list[ProcessView]]) -> Node:
    ref = process.ref
    return Node(
        ref=str(ref.id),
        label=_unicode(ref.label),
        kind=_unicode(ref.actor_class.__name__),
        state=process.status.value,
        restarts=ref.restarts,
        mailbox=len(process.mailbox),
        count=len(below.get(ref, ())),
    )


def _unicode(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _any(_: ProcessView) -> bool:
    return True
