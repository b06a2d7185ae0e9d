"""The rows of the actor table, and their sort keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors import Scheduler
from actors.debug import ProcessView, memory, run_times
from supervision.console.inspection.model.actors import Actor
from supervision.console.inspection.samples import Samples


class ActorRows:
    """Builds the rows of the actor table.

    Attributes:
        window: seconds that `recent` and `recently_used` cover; 0 before the first mark
        keys: column -> sort key of a process
    """

    def __init__(self, scheduler: Scheduler, history: Samples) -> None:
        now, mark = scheduler.loop.time(), history.mark
        self.window = 0.0 if mark is None else now - mark.at
        work: dict[int, tuple[int, float]] = {} if mark is None else mark.work
        used, nothing = run_times(), (0, 0.0)
        # A process that is not in the mark started after it: all its work is recent. Without a mark none is.
        self.keys: dict[str, Callable[[ProcessView], Any]] = {
            "ref": lambda process: process.ref.id,
            "label": lambda process: process.ref.label,
            "kind": lambda process: process.ref.actor_class.__name__,
            "state": lambda process: process.status.value,
            "parent": lambda process: 0 if process.parent is None else process.parent.id,
            "restarts": lambda process: process.ref.restarts,
            "mailbox": lambda process: len(process.mailbox),
            "peak": lambda process: process.mailbox.peak,
            "handled": lambda process: process.handled,
            "recent": lambda process: 0 if mark is None else process.handled - work.get(process.ref.id, nothing)[0],
            "used": lambda process: used.get(process, 0.0),
            "recently_used": lambda process: max(0.0, used.get(process, 0.0) - work.get(process.ref.id, nothing)[1]),
            "memory": lambda process: memory(process.ref),
        }

    def __call__(self, process: ProcessView) -> Actor:
        keys = self.keys
        return Actor(
            ref=str(process.ref.id),
            label=process.ref.label,
            kind=process.ref.actor_class.__name__,
            state=process.status.value,
            parent=None if process.parent is None else str(process.parent.id),
            restarts=process.ref.restarts,
            mailbox=len(process.mailbox),
            peak=process.mailbox.peak,
            handled=process.handled,
            recent=keys["recent"](process),
            used=keys["used"](process),
            recently_used=keys["recently_used"](process),
            memory=memory(process.ref),
        )
