"""The full-screen console's app: its views, their updates, and the actions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import App, ScreenStackError
from textual.binding import ActiveBinding, Binding, BindingType
from textual.widget import Widget
from textual.widgets import Footer, TabbedContent, TabPane

from supervision.console.terminal import text
from supervision.console.terminal.client import AdminError
from supervision.console.terminal.text import Json
from supervision.console.terminal.tui.details import ActorScreen, CrashScreen, Details
from supervision.console.terminal.tui.dialogs import Choose, ChooseLevel, Confirm, Keys
from supervision.console.terminal.tui.link import Link
from supervision.console.terminal.tui.listing import Actors, Connections, Crashes, Names
from supervision.console.terminal.tui.overview import Overview
from supervision.console.terminal.tui.pages import Pages
from supervision.console.terminal.tui.status import StatusLine
from supervision.console.terminal.tui.tree import TreeView
from supervision.console.terminal.tui.view import Act, Offer, OpenActor, OpenCrash, Stale, View

INTERVAL = 1.0
"""Seconds between two updates."""
VIEWS: tuple[type[View], ...] = (Overview, TreeView, Actors, Connections, Names, Crashes, Pages)
TITLES = ("Overview", "Tree", "Actors", "Connections", "Names", "Crashes", "Pages")


class ConsoleApp(App[int]):
    """The console of one instance.

    Args:
        data: the instance's data folder
        interval: seconds between two updates
    """

    TITLE = "Canopy console"
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "console.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"view({number})", title, show=False) for number, title in enumerate(TITLES, 1)),
        Binding("question_mark", "keys", "Keys", key_display="?"),
        Binding("D", "drain", "Drain", show=False),
        Binding("L", "log_level", "Log level", show=False),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, data: Path, interval: float = INTERVAL) -> None:
        super().__init__()
        self.animation_level = "none"  # over SSH each frame of an animation is a packet
        self.link = Link(data)
        self.loaded = asyncio.Condition()
        """Notified after every update, whether the instance answered or not."""
        self._interval = interval
        self._stale = asyncio.Event()
        self._overview: Json | None = None
        self._trouble = ""

    def compose(self) -> Iterable[Widget]:
        yield StatusLine()
        with TabbedContent(id="views"):
            for number, (title, view) in enumerate(zip(TITLES, VIEWS, strict=True), start=1):
                with TabPane(f"{number} {title}", id=f"view-{number}"):
                    yield view()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Start the updates."""
        self._view().focus_main()
        self._follow()

    # Updates.

    @work
    async def _follow(self) -> None:
        """Load the visible view repeatedly, one request at a time so as not to overload a slow instance."""
        while True:
            self._stale.clear()
            try:
                await self._load()
            except ScreenStackError:
                return  # the console was closed during the load
            async with self.loaded:
                self.loaded.notify_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._stale.wait()

    async def _load(self) -> None:
        try:
            self._overview = await self.link.get("overview")
            visible = self._visible()
            if visible is not None:
                await visible.load(self.link)
        except AdminError as error:
            gone = f"no answer at {self.link.data}; retrying"
            self._trouble = text.clean(gone if error.status is None else error)
        else:
            self._trouble = ""
        for line in self.screen.query(StatusLine):
            line.seen, line.trouble = self._overview, self._trouble

    def _visible(self) -> View | Details | None:
        """Return the view or screen to load; None while a dialog is open."""
        if isinstance(self.screen, Details):
            return self.screen
        return self._view() if len(self.screen_stack) == 1 else None

    def _view(self) -> View:
        pane = self.screen_stack[0].query_one("#views", TabbedContent).active_pane
        assert pane is not None
        return pane.query_one(View)

    @on(Stale)
    @on(TabbedContent.TabActivated)
    def _update_now(self) -> None:
        self._stale.set()

    # Keys.

    async def action_view(self, number: int) -> None:
        """Show a view."""
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        self.screen_stack[0].query_one("#views", TabbedContent).active = f"view-{number}"
        self._view().focus_main()

    def action_keys(self) -> None:
        """Show the keys and what they do."""
        active = [each.binding for each in self.screen.active_bindings.values() if _is_ours(each)]
        self.push_screen(Keys((self.get_key_display(binding), binding.description) for binding in active))

    def action_drain(self) -> None:
        """Drain the application, after the user confirms."""
        self.post_message(Act("Stop accepting connections and close the open ones?", lambda link: link.post("drain")))

    @work
    async def action_log_level(self) -> None:
        """Set the log level. Choosing a level counts as the confirmation."""
        level = await self.push_screen_wait(ChooseLevel())
        if level is not None:
            await self._do(lambda link: link.post("log-level", body={"level": level}))

    @on(OpenActor)
    def _open_actor(self, event: OpenActor) -> None:
        self.push_screen(ActorScreen(event.ref))

    @on(OpenCrash)
    def _open_crash(self, event: OpenCrash) -> None:
        self.push_screen(CrashScreen(event.number))

    @on(Act)
    @work
    async def _act(self, event: Act) -> None:
        if await self.push_screen_wait(Confirm(event.question)):
            await self._do(event.do)

    @on(Offer)
    @work
    async def _offer(self, event: Offer) -> None:
        try:
            forms = {form["id"]: form for form in (await self.link.get("session"))["forms"]}
            acts = [act for act in event.acts if act["form"] in forms]
            chosen = await self.push_screen_wait(Choose(event.about, (text.clean(act["label"]) for act in acts)))
            if chosen is not None:
                await self._use(forms[acts[chosen]["form"]], acts[chosen]["values"])
        except AdminError as error:
            self.notify(text.clean(error), severity="error", markup=False)
        self._stale.set()

    async def _use(self, form: Json, values: dict[str, str]) -> None:
        """Show the preview of a form, and apply the form after the user confirms."""
        given = {field["name"]: field["value"] for field in form["fields"]} | values
        preview = (await self.link.send(form, **given, apply="0"))["told"]
        lines = [preview["text"], *preview["warnings"], *preview["confirm"].values()]
        question = "\n".join(map(text.clean, lines))
        if not preview["is_possible"]:
            self.notify(question, markup=False)
        elif await self.push_screen_wait(Confirm(question)):
            agreed = dict.fromkeys(preview["confirm"], "1")
            done = await self.link.send(form, **given, **agreed, apply="1")
            self.notify(text.clean(done["told"]["text"]), markup=False)

    async def _do(self, do: Any) -> None:
        try:
            answer = await do(self.link)
        except AdminError as error:
            self.notify(text.clean(error), severity="error", markup=False)
        else:
            if "action" in answer:
                on = answer["label"] or answer["detail"]
                self.notify(text.clean(f"done: {answer['action']} {on}"), markup=False)
        self._stale.set()


def _is_ours(active: ActiveBinding) -> bool:
    """Tell whether a key is one of the console's own; those of Textual's widgets need no explanation."""
    ours = [each for each in type(active.node).__mro__ if each.__module__.startswith(__package__ or "")]
    actions = [binding.action for each in ours for binding in vars(each).get("BINDINGS", ())]
    return active.binding.action in actions
