"""What can be seen of a running system, as plain data. Looking costs nothing while nobody looks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from actors import Ref
from actors.debug import ProcessInfo, processes


@dataclass(slots=True)
class Node:
    """One actor of the tree, and those it started, in start order.

    Attributes:
        ref: its number, as text
        kind: the class it runs
        state: `idle`, `queued`, `running` or `waiting`
        restarts: how often it was started again in its place
        mailbox: messages that wait
    """

    ref: str
    label: str
    kind: str
    state: str
    restarts: int
    mailbox: int
    children: list[Node] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The node as JSON has it."""
        return asdict(self)


def tree(root: Ref) -> Node | None:
    """The living actors under `root`; None if it is dead."""
    living = processes()
    nodes = {info.ref: _node(info) for info in living}
    for info in living:
        parent = None if info.parent is None else nodes.get(info.parent)
        if parent is not None:
            parent.children.append(nodes[info.ref])
    return nodes.get(root)


def _node(info: ProcessInfo) -> Node:
    return Node(str(info.ref.id), info.label, info.kind, info.state, info.restarts, info.mailbox)
