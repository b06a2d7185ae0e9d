"""The detail screens: of one actor, or of one crash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import DataTable, Footer, Static

from supervision.console.terminal import text
from supervision.console.terminal.client import AdminError
from supervision.console.terminal.text import Column, Json
from supervision.console.terminal.tui.link import Link
from supervision.console.terminal.tui.rows import RowTable
from supervision.console.terminal.tui.status import StatusLine
from supervision.console.terminal.tui.view import Act, Facts, OpenActor, Stale, grid, heading

MAX_CHILDREN = 100
TRACE = {"lines": 500, "seconds": 30.0}
QUESTIONS = {
    "crash": "Crash {}?",
    "shutdown": "Shut {} down?",
    "kill": "Kill {}?",
    "restart": "Restart {}?",
    "suspend": "Suspend {}? It handles no messages until it is resumed.",
    "resume": "Resume {}?",
    "state": "Read the state of {}? The audit log records this.",
    "trace": "Trace the messages and replies of {}, for half a minute at most? The audit log records this.",
}
RELATED = (Column("how", "Relation"), Column("label", "Label"), Column("ref", "Ref"), Column("is_alive", "Alive"))


class Details(Screen[None]):
    """A screen on top of the views; Escape closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back"),
        Binding("q", "app.quit", "Quit", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._caption = Static(markup=False, classes="caption")
        self._facts = Facts()

    async def load(self, link: Link) -> None:
        """Fetch the content and show it. Raises `AdminError`."""
        raise NotImplementedError

    def title_with(self, title: str) -> None:
        """Set the title."""
        self._caption.update(Text(title, "bold", no_wrap=True))

    def on_mount(self) -> None:
        """Load this screen at once."""
        self.post_message(Stale())

    def on_unmount(self) -> None:
        """Load the screen below at once."""
        self.app.post_message(Stale())


class ActorScreen(Details):
    """One actor. After a restart it shows the successor.

    Args:
        ref: the actor's number
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "act('exit', 'crash')", "Crash"),
        Binding("r", "act('restart')", "Restart"),
        Binding("d", "act('exit', 'shutdown')", "Stop"),
        Binding("k", "act('exit', 'kill')", "Kill"),
        Binding("z", "act('suspend')", "Suspend"),
        Binding("u", "act('resume')", "Resume"),
        Binding("s", "state", "State"),
        Binding("t", "trace", "Trace"),
        Binding("f", "facts", "Facts"),
    ]

    def __init__(self, ref: str) -> None:
        super().__init__()
        self.ref = ref
        self.seen: Json | None = None
        self.panel = "facts"
        self._note = ""
        self._state: Json | None = None
        self._related = RowTable(RELATED)

    def compose(self) -> Iterable[Widget]:
        yield StatusLine()
        yield self._caption
        yield self._facts
        yield self._related
        yield Footer(compact=True)

    async def load(self, link: Link) -> None:
        """Show the current details; if the actor has ended, those of its successor."""
        try:
            seen = await link.get("actors", self.ref)
        except AdminError as error:
            if error.status != 404:
                raise
            await self._find_successor(link)
            return
        family = await link.get("tree", ref=self.ref, depth=1, limit=MAX_CHILDREN)
        self.seen = seen
        self.title_with(f"{text.actor_name(seen['actor'])}{self._note}")
        self._related.show(_related(seen, family))
        self.refresh_bindings()
        await self._show_panel(link, seen)

    async def _find_successor(self, link: Link) -> None:
        if self.seen is None:
            self.title_with(f"There is no actor {self.ref}")
            return
        row = self.seen["actor"]
        name = text.actor_name(row)
        found = await link.get("actors", q=row["label"], kind=row["kind"], sort="ref", order="desc")
        same = [new for new in found["actors"] if _is_successor(new, row)]
        if len(same) != 1:
            self.title_with(f"{name} has ended")
            return
        self._note = f", restarted from <{self.ref}>"
        self.ref, self.panel = same[0]["ref"], "facts"
        self.post_message(Stale())

    async def _show_panel(self, link: Link, seen: Json) -> None:
        facts = self._facts
        if self.panel == "state" and self._state is not None:
            facts.show(_state(self._state))
        elif self.panel == "trace":
            was_at_end = facts.is_vertical_scroll_end
            facts.show(_trace(await link.get("actors", self.ref, "trace")))
            if was_at_end:
                facts.call_after_refresh(facts.scroll_end, animate=False)
        else:
            facts.show(grid(text.actor_facts(seen)))

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that do not apply now."""
        is_suspended = self.seen is not None and self.seen["actor"]["state"] == "suspended"
        match action, parameters:
            case "act", ("suspend", *_):
                return not is_suspended
            case "act", ("resume", *_):
                return is_suspended
            case "facts", _:
                return self.panel != "facts"
        return True

    def action_act(self, action: str, reason: str = "") -> None:
        """Act on the actor, after the user confirms."""
        ref, body = self.ref, {"reason": reason} if reason else None
        self._ask(reason or action, lambda link: link.post("actors", ref, action, body=body))

    def action_state(self) -> None:
        """Read the actor's attributes, after the user confirms."""
        self._ask("state", self._read_state)

    def action_trace(self) -> None:
        """Trace the actor, after the user confirms."""
        self._ask("trace", self._begin_trace)

    def action_facts(self) -> None:
        """Show the facts again."""
        self.panel = "facts"
        self.post_message(Stale())

    def _ask(self, action: str, do: Callable[[Link], Awaitable[Json]]) -> None:
        if self.seen is not None:
            self.post_message(Act(QUESTIONS[action].format(text.actor_name(self.seen["actor"])), do))

    async def _read_state(self, link: Link) -> Json:
        seen: Json = await link.post("actors", self.ref, "state")
        self._state, self.panel = seen, "state"
        return seen

    async def _begin_trace(self, link: Link) -> Json:
        seen: Json = await link.post("actors", self.ref, "trace", body=TRACE)
        self.panel = "trace"
        return seen

    @on(DataTable.RowSelected)
    def _selected(self) -> None:
        row = self._related.current
        if row is not None:
            self.post_message(OpenActor(row["ref"]))


class CrashScreen(Details):
    """One crash.

    Args:
        number: the crash's number
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy the pytest case"),
        Binding("o", "open", "Open the actor"),
    ]

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._seen: Json | None = None

    def compose(self) -> Iterable[Widget]:
        yield StatusLine()
        yield self._caption
        yield self._facts
        yield Footer(compact=True)

    async def load(self, link: Link) -> None:
        """Show the crash, once, since it does not change."""
        if self._seen is not None:
            return
        self._seen = seen = await link.get("crashes", str(self._number))
        self.title_with(f"crash {self._number}: {text.actor_name(seen['crash'])}")
        self._facts.show(_crash(seen))

    def action_copy(self) -> None:
        """Copy the test to the clipboard, if the terminal supports it (OSC 52)."""
        if self._seen is not None:
            self.app.copy_to_clipboard(self._seen["case"])
            hint = f"`canopy crashes {self._number} --case` also prints it"
            self.notify(f"Copied to the terminal's clipboard; {hint}.", markup=False)

    def action_open(self) -> None:
        """Show the actor."""
        if self._seen is not None:
            self.post_message(OpenActor(self._seen["crash"]["ref"]))


def _is_successor(new: Json, old: Json) -> bool:
    return all(new[name] == old[name] for name in ("label", "parent")) and new["restarts"] > old["restarts"]


def _related(seen: Json, family: Json) -> dict[str, Json]:
    """Return rows for the actor's parent, children, links and monitors."""
    parent = seen["actor"]["parent"]
    rows = [] if parent is None else [{"how": "parent", "label": seen["path"][-2], "ref": parent, "is_alive": True}]
    rows += [{"how": "child", "label": child["label"], "ref": child["ref"], "is_alive": True}
             for child in family["children"]]  # fmt: skip
    rows += [{"how": how, **peer} for how, peer in text.relations(seen)]
    return {f"{row['how']} {row['ref']}": row for row in rows}


def _state(seen: Json) -> RenderableType:
    facts = [(f"self.{text.clean(name)}", text.clean(value)) for name, value in seen["state"].items()]
    more = [Text("… truncated", "dim")] if seen["is_cut"] else []
    return Group(heading("State"), grid(facts) if facts else Text("no attributes"), *more)


def _trace(seen: Json) -> RenderableType:
    lines: list[Any] = [Text(text.trace_line(line), no_wrap=True) for line in seen["lines"]]
    end = "the trace is running" if seen["ended"] is None else f"the trace ended: {text.clean(seen['ended'])}"
    return Group(heading("Trace"), *lines, Text(end, "dim"))


def _crash(seen: Json) -> RenderableType:
    traceback, case = (Text("\n".join(text.block(seen[name]))) for name in ("traceback", "case"))
    return Group(grid(text.crash_facts(seen)), Text(), heading("Traceback"), traceback, Text(),
                 heading("A test that reproduces it"), case)  # fmt: skip
