"""What can be seen of a running system, as plain data. Looking costs nothing while nobody looks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from actors import Process, Ref, Scheduler
from supervision.supervisor import BaseSupervisor


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
    processes = Scheduler.current().processes.values()
    nodes = {process.ref: _node(process) for process in processes}
    for process in processes:
        parent = None if process.parent is None else nodes.get(process.parent)
        if parent is not None:
            parent.children.append(nodes[process.ref])
    return nodes.get(root)


def _node(process: Process) -> Node:
    return Node(
        ref=str(process.ref.id),
        label=process.label,
        kind=type(process).__name__,
        state=process.status.value,
        restarts=process.restarts,
        mailbox=len(process.mailbox),
    )


def is_supervisor(ref: Ref) -> bool:
    """Tell whether a living process is a supervisor."""
    return issubclass(ref.actor_class, BaseSupervisor)
