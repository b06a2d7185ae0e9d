"""The terminal console beside a running canvas: what it shows, what its keys do, and that it survives the canvas."""

import contextlib
import html
import itertools
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from textual.pilot import Pilot
from textual.widgets import Button, Footer, Static, TabbedContent
from textual.widgets._footer import FooterKey

from actors import GenServer, Ref, Shown, cast, down, send_exit, shown, start
from actors.debug import find, processes, resume, suspend
from canvas.application import CanvasApplication
from supervision.console.terminal.text import clean
from supervision.console.terminal.tui import ConsoleApp
from supervision.console.terminal.tui.details import ActorScreen, CrashScreen
from supervision.console.terminal.tui.dialogs import Choose, ChooseLevel, Confirm, Keys
from supervision.console.terminal.tui.listing import PAGE, Actors, Connections, Crashes, Names
from supervision.console.terminal.tui.pages import Pages
from supervision.console.terminal.tui.rows import RowTable
from supervision.console.terminal.tui.search import Search
from supervision.console.terminal.tui.status import StatusLine
from supervision.console.terminal.tui.tree import LiveTree
from supervision.console.terminal.tui.view import Facts, OpenActor, Stale, View
from tests.support.console import outcomes
from tests.support.instance import connection_of, find_child, new_application, running
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient

NEVER = 3600.0
"""Seconds: a test has the console load what it wants to see."""
EVE = "[red]Eve[/red]"
"""A visitor; a name is a cookie, too, and has no other characters than these."""
EVIL = "\x1b[31m[red]Mal[/red]\n[link=x]\u202e"
"""An actor."""


@shown("wish")
class Worker(GenServer):
    """Works, or fails."""

    def init(self, wish: str = "") -> None:
        self.wish = wish

    def handle_cast(self, request: Any) -> Any:
        """Fail."""
        raise ValueError(f"{request}: {self.wish}")

    def handle_call(self, request: Any, from_: Any) -> Any:
        """Echo."""
        return request


class User:
    """Somebody at the keyboard.

    Attributes:
        app: what they look at
    """

    def __init__(self, app: ConsoleApp, pilot: Pilot[int]) -> None:
        self.app = app
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self._pilot.press(*keys)

    async def until(self, condition: Callable[..., object]) -> None:
        """Load again and again, until this is so."""
        await self._pilot.pause(0)
        while not condition():
            async with self.app.loaded:
                self.app.post_message(Stale())
                await self.app.loaded.wait()
            await self._pilot.pause(0)

    async def open(self, ref: Ref) -> ActorScreen:
        """Look at an actor."""
        self.app.post_message(OpenActor(str(ref.id)))
        await self.until(lambda: isinstance(self.screen, ActorScreen) and self.screen.seen is not None)
        assert isinstance(self.screen, ActorScreen)
        return self.screen

    @property
    def screen(self) -> Any:
        """The screen that is seen."""
        return self.app.screen

    @property
    def status(self) -> str:
        """The first line."""
        return str(self.screen.query_one(StatusLine).render().plain)

    @property
    def text(self) -> str:
        """What the scrolled text of the screen, or of the view, says."""
        if isinstance(self.screen, ActorScreen | CrashScreen):
            return text_of(self.screen.query_one(Facts))
        pane = self.app.query_one(TabbedContent).active_pane
        assert pane is not None
        return text_of(pane.query_one(Facts))

    @property
    def caption(self) -> str:
        """The line above a table, or an actor."""
        return plain(self.screen.query_one(".caption", Static))

    @property
    def keys(self) -> set[str]:
        """What the last line says that one can do."""
        return {key.description for key in self.screen.query_one(Footer).query(FooterKey)}


def plain(widget: Static) -> str:
    """What a widget shows, as text."""
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(widget._Static__content)  # type: ignore[attr-defined]
    return capture.get()


def caption(view: View) -> str:
    """The line above a table."""
    return plain(view.query_one(".caption", Static))


def text_of(facts: Facts) -> str:
    """What it says."""
    return plain(facts.query_one(Static))


def cells(rows: RowTable, column: str) -> list[str]:
    """What a column of a table shows: nothing before the table is loaded, when it has no columns either."""
    return [cell.plain for cell in rows.get_column(column)] if rows.row_count else []


def labels(tree: LiveTree) -> list[str]:
    """What the tree shows, from the top."""
    found = []
    waiting = [tree.root]
    while waiting:
        node = waiting.pop(0)
        found.append(str(node.label))
        waiting = [*node.children, *waiting]
    return found


def drawn(app: ConsoleApp) -> str:
    """What is on the screen, as text."""
    return html.unescape(re.sub("<[^>]*>", "", app.export_screenshot())).replace("\xa0", " ")


@contextlib.asynccontextmanager
async def looking(data: Path, size: tuple[int, int] = (80, 24)) -> AsyncIterator[User]:
    """Open the console."""
    app = ConsoleApp(data, interval=NEVER)
    async with app.run_test(size=size, notifications=True) as pilot:
        user = User(app, pilot)
        await user.until(lambda: app.query_one(StatusLine).seen)
        yield user


@contextlib.asynccontextmanager
async def canvas(data: Path, **options: Any) -> AsyncIterator[tuple[CanvasApplication, User]]:
    """Run a canvas with a console, and look at it."""
    async with running(new_application(data, console_port=0, **options)) as application, looking(data) as user:
        yield application, user


@live
async def test_every_view_shows_what_it_should(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (application, user):
        ann = await WebSocketClient.open(application)
        await user.until(lambda: "connections 1" in user.status)
        await user.until(lambda: "no actor has crashed" in user.text and "file descriptors" in user.text)
        expected: dict[str, Callable[[], object]] = {
            "2": lambda: any("user user1" in label for label in labels(user.app.query_one(LiveTree))),
            "3": lambda: "canvas" in cells(user.app.query_one(Actors).table, "label"),
            "4": lambda: "user1" in cells(user.app.query_one(Connections).table, "user"),
            "5": lambda: (
                {"registry", "canvas"}
                <= {key for rows in user.app.query_one(Names).query(RowTable) for key in cells(rows, "key")}
            ),
            "6": lambda: user.app.query_one(Crashes).table.row_count == 0,
            "7": lambda: "user1" in cells(user.app.query_one(Pages).table, "1"),
            "less_than_sign": lambda: "write under way" in text_of(user.app.query_one(Pages).facts),
        }
        for key, is_shown in expected.items():
            await user.press(key)
            await user.until(is_shown)
            await user.until(lambda: {"Keys", "Quit"} <= user.keys)
        await ann.leave()


@live
async def test_longest_mailbox_is_named_and_opened_even_when_nothing_waits_any_more(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (_, user):
        worker = await start(Worker, label="worker")
        suspend(worker)
        for _ in range(50):
            worker.tell("hello")
        await user.until(lambda: f"worker <{worker.id}>, 50 waiting" in user.text)
        resume(worker)
        await user.until(lambda: f"worker <{worker.id}>, empty now, 50 at most" in user.text)
        await user.press("m")
        await user.until(lambda: isinstance(user.screen, ActorScreen))
        assert user.screen.ref == str(worker.id)
        send_exit(worker, "kill")
        await down(worker)


@live
async def test_actor_is_found_in_the_tree_crashed_and_followed(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (_, user):
        tree = user.app.query_one(LiveTree)
        await user.press("2")
        await user.until(lambda: len(labels(tree)) > 5)
        old = find_child("canopy", "broadcaster")
        place = [str(child.label).split()[0] for child in tree.root.children].index("broadcaster")
        await user.press(*["down"] * (place + 1))
        assert tree.cursor_node is not None
        assert tree.cursor_node.data is not None
        assert tree.cursor_node.data["ref"] == str(old.id)

        await user.press("enter")
        await user.until(lambda: isinstance(user.screen, ActorScreen) and "Broadcaster" in user.text)
        await user.press("c")
        await user.until(lambda: isinstance(user.screen, Confirm))
        assert user.screen.question == f"Crash broadcaster <{old.id}>?"
        await user.press("y")
        await user.until(lambda: f"restarted from <{old.id}>" in user.caption)
        new = find_child("canopy", "broadcaster")
        assert not old.is_alive()
        assert user.screen.ref == str(new.id)

        await user.press("escape")
        await user.until(lambda: f"broadcaster <{new.id}>  Broadcaster, idle, 1 restarts, 0 waiting" in labels(tree))
        await user.until(lambda: tree.cursor_node is not None and tree.cursor_node.data is not None
                         and tree.cursor_node.data["ref"] == str(new.id))  # fmt: skip


@live
async def test_nothing_is_done_to_those_who_say_no(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (_, user):
        worker = await start(Worker, label="worker")
        await user.open(worker)
        for key, answer in zip("crdkzst", itertools.cycle(("n", "escape", "enter")), strict=False):
            await user.press(key)
            await user.until(lambda: isinstance(user.screen, Confirm))
            assert isinstance(user.app.focused, Button)
            assert user.app.focused.id == "no"
            await user.press(answer)
            await user.until(lambda: isinstance(user.screen, ActorScreen))
        assert worker.is_alive()
        assert not (tmp_path / "audit.log").exists()
        send_exit(worker, "kill")
        await down(worker)


@live
async def test_actor_is_suspended_resumed_traced_read_and_killed(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (application, user):
        worker = await start(Worker, "peace", label="worker")
        screen = await user.open(worker)
        await user.until(lambda: "Suspend" in user.keys and "Resume" not in user.keys)
        await user.press("z", "y")
        await user.until(lambda: "suspended" in user.text and "Resume" in user.keys)
        await user.press("u", "y")
        await user.until(lambda: "idle" in user.text and "Suspend" in user.keys)

        await user.press("s", "y")
        await user.until(lambda: "self.wish" in user.text and "'peace'" in user.text)
        await user.press("t", "y")
        await user.until(lambda: "the trace is running" in user.text)
        worker.tell(Shown("hello [b]you[/b]\x1b"))
        await user.until(lambda: r"'hello [b]you[/b]\x1b'" in user.text)
        await user.press("f")
        await user.until(lambda: "Worker, idle, traced" in user.text)

        await user.press("k", "y")
        await user.until(lambda: user.caption.strip() == f"worker <{worker.id}> has ended")
        assert screen.ref == str(worker.id)
        assert not worker.is_alive()
        done = [line["action"] for line in await outcomes(application)]
        assert done == ["suspend", "resume", "get state", "trace", "kill"]


@live
async def test_refusal_is_told_in_its_words(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (application, user):
        await user.press("2")
        await user.until(lambda: len(labels(user.app.query_one(LiveTree))) > 5)
        await user.press("enter")
        await user.until(lambda: isinstance(user.screen, ActorScreen) and user.screen.seen is not None)
        await user.press("k", "y")
        await user.until(lambda: list(user.app._notifications))
        (note,) = user.app._notifications
        assert note.message == "the root of the tree cannot be ended: no supervisor would restart it"
        assert application.top().is_alive()


@live
async def test_relatives_lead_from_actor_to_actor(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (_, user):
        await user.press("2")
        await user.until(lambda: len(labels(user.app.query_one(LiveTree))) > 5)
        await user.press("enter")
        await user.until(lambda: isinstance(user.screen, ActorScreen) and user.screen.seen is not None)
        rows = user.screen.query_one(RowTable)
        assert cells(rows, "how")[:2] == ["parent", "child"]
        await user.press("tab", "down", "enter")
        await user.until(lambda: user.caption.startswith("registry <"))
        await user.press("escape")
        await user.until(lambda: user.caption.startswith("canopy <"))


@live
async def test_table_is_sorted_searched_and_turned_on_the_server(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (_, user):
        workers = [await start(Worker, label=f"worker {number:03}") for number in range(PAGE + 20)]
        rows = user.app.query_one(Actors).table
        await user.press("3")
        await user.until(lambda: rows.row_count == PAGE)
        for worker in workers[:3]:
            worker.tell("count this")
        await user.press("greater_than_sign", "greater_than_sign")  # from waiting over the peak to the messages
        await user.until(lambda: str(rows.ordered_columns[5].label) == "Msgs ▼")
        for _ in range(4):
            await user.press("greater_than_sign")
        await user.until(lambda: str(rows.ordered_columns[9].label) == "All msgs ▼")
        counts = [int(cell.replace(",", "")) for cell in cells(rows, "handled")]
        assert counts == sorted(counts, reverse=True)

        await user.press("slash", *"worker", "enter")
        await user.until(lambda: "1 to 100 of 120 with 'worker'" in caption(user.app.query_one(Actors)))
        assert set(cells(rows, "label")[:3]) == {"worker 000", "worker 001", "worker 002"}
        await user.press("r")
        await user.until(lambda: str(rows.ordered_columns[9].label) == "All msgs ▲")
        await user.press("n")
        await user.until(lambda: rows.row_count == 20)
        await user.press("p")
        await user.until(lambda: rows.row_count == PAGE)

        await user.press("slash", "escape")
        await user.until(lambda: not user.app.query_one(Actors).query_one(Search).display)
        assert user.app.focused is rows
        for worker in workers:
            send_exit(worker, "kill")
            await down(worker)


@live
async def test_cursor_stays_with_its_row(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (_, user):
        first, second = await start(Worker, label="worker 1"), await start(Worker, label="worker 2")
        rows = user.app.query_one(Actors).table
        await user.press("3", "slash", *"worker", "enter")
        await user.until(lambda: cells(rows, "label") == ["worker 1", "worker 2"])
        await user.press("down")
        assert rows.current is not None
        assert rows.current["ref"] == str(second.id)
        send_exit(first, "kill")
        await down(first)
        await user.until(lambda: rows.row_count == 1)
        assert rows.current is not None
        assert rows.current["ref"] == str(second.id)
        send_exit(second, "kill")
        await down(second)
        await user.until(lambda: rows.row_count == 0)
        assert rows.current is None
        await user.press("enter")
        assert not isinstance(user.screen, ActorScreen)


@live
async def test_last_crash_is_explained_with_a_test_that_repeats_it(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (_, user):
        worker = await start(Worker, "luck", label="worker")
        cast(worker, "bad")
        await down(worker)
        await user.until(lambda: "ValueError" in user.text)
        await user.press("l")
        await user.until(lambda: isinstance(user.screen, CrashScreen) and "A test that reproduces it" in user.text)
        for part in ("bad: luck", "Traceback", "def test_"):
            assert part in user.text
        await user.press("y")
        assert "def test_" in user.app.clipboard
        await user.press("o")
        await user.until(lambda: user.caption.strip() == f"There is no actor {worker.id}")


@live
async def test_client_is_disconnected_from_the_table(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (application, user):
        ann = await WebSocketClient.open(application)
        rows = user.app.query_one(Connections).table
        await user.press("4", "slash", *"user1", "enter")
        await user.until(lambda: cells(rows, "user") == ["user1"])
        await user.press("enter")
        await user.until(lambda: isinstance(user.screen, ActorScreen) and user.screen.seen is not None)
        assert user.screen.ref == str(connection_of(application, "user1").id)
        await user.press("escape", "d")
        await user.until(lambda: isinstance(user.screen, Confirm))
        assert user.screen.question.startswith("Disconnect user1 at 127.0.0.1:")
        await user.press("y")
        await ann.connection.wait_closed()
        assert ann.connection.close_code == 1008
        await user.until(lambda: rows.row_count == 0)
        await ann.end()


@live
async def test_client_is_banned_by_what_the_application_offers_once_it_has_told_whom_that_means(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (application, user):
        eve = await WebSocketClient.open(application, "/ws?name=Eve")
        rows = user.app.query_one(Connections).table
        await user.press("4", "slash", *"eve", "enter")
        await user.until(lambda: cells(rows, "name") == ["Eve"])
        for answer in "ny":
            await user.press("m")
            await user.until(lambda: isinstance(user.screen, Choose))
            await user.press("enter")
            await user.until(lambda: isinstance(user.screen, Confirm))
            assert user.screen.question.startswith("Eve (user1) will be banned for 1 day.")
            assert eve.closed is None
            await user.press(answer)
        assert (await eve.end())[0] == 4403


@live
async def test_pages_of_the_application_are_chosen_turned_searched_and_offer_what_can_be_done(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (application, user):
        for number in range(PAGE + 20):
            application.moderation.ban(f"192.0.2.{number}")
        eve = await WebSocketClient.open(application, "/ws?name=Eve")
        pages = user.app.query_one(Pages)
        rows = pages.table
        await user.press("7")
        await user.until(lambda: cells(rows, "0") == ["Eve"] and "here" in text_of(pages.facts))
        await user.until(
            lambda: caption(pages).startswith("Connected now and recently: 1") and "Next page" not in user.keys
        )
        await user.press("enter")
        await user.until(lambda: isinstance(user.screen, ActorScreen) and user.screen.seen is not None)
        assert user.screen.ref == str(connection_of(application, "user1").id)
        await user.press("escape", "greater_than_sign")
        await user.until(lambda: caption(pages).startswith("Bans: 1 to 100 of 120") and "Next page" in user.keys)
        assert cells(rows, "1")[0] == f"192.0.2.{PAGE + 19}"
        await user.press("n")
        await user.until(lambda: caption(pages).startswith("Bans: 101 to 120 of 120"))
        await user.press("slash", *"2.7", "enter")
        await user.until(lambda: cells(rows, "1") == [f"192.0.2.{each}" for each in (*range(79, 69, -1), 7)])
        await user.press("less_than_sign")
        await user.until(lambda: cells(rows, "0") == ["Eve"])
        await user.press("less_than_sign")
        await user.until(lambda: "write under way" in text_of(pages.facts) and pages.facts.has_focus)
        await user.until(lambda: not rows.display and "Search" not in user.keys)
        await user.press("greater_than_sign")
        await user.until(lambda: cells(rows, "0") == ["Eve"] and rows.display and rows.has_focus)
        await user.press("m")
        await user.until(lambda: isinstance(user.screen, Choose))
        await user.press("enter")
        await user.until(lambda: isinstance(user.screen, Confirm))
        assert user.screen.question.startswith("Eve (user1) will be banned for 1 day.")
        await user.press("y")
        assert (await eve.end())[0] == 4403
        await user.until(lambda: cells(rows, "3") == ["banned"])


@live
async def test_log_level_is_chosen_and_clients_are_sent_away(tmp_path: Path) -> None:
    levels: list[str] = []
    application = new_application(tmp_path, console_port=0)
    application.console.extensions.set_log_level = levels.append
    async with running(application), looking(tmp_path) as user:
        await user.press("L")
        await user.until(lambda: isinstance(user.screen, ChooseLevel))
        await user.press("down", "down", "enter")
        await user.until(lambda: levels)
        assert levels == ["warning"]
        await user.press("D", "y")
        await user.until(lambda: "DRAINING" in user.status)


@live
async def test_console_survives_the_canvas_and_goes_on_with_the_next(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as until_the_end:
        async with running(new_application(tmp_path, console_port=0)):
            user = await until_the_end.enter_async_context(looking(tmp_path))
            await user.press("3")
            rows = user.app.query_one(Actors).table
            await user.until(lambda: rows.row_count > 5)
        await user.until(lambda: user.status.startswith(f" no answer at {tmp_path}"))
        assert rows.row_count > 5
        await user.press("2")
        assert user.app.query_one(TabbedContent).active == "view-2"
        async with running(new_application(tmp_path, console_port=0)):
            await user.until(lambda: "actors" in user.status)
            await user.until(lambda: any("broadcaster" in label for label in labels(user.app.query_one(LiveTree))))
            await until_the_end.aclose()


@live
async def test_names_of_visitors_are_text_everywhere(tmp_path: Path) -> None:
    async with running(new_application(tmp_path, user_ids=[EVE])) as application, looking(tmp_path, (160, 50)) as user:
        ann = await WebSocketClient.open(application)
        label = connection_of(application, EVE).label
        assert EVE in label
        expected: dict[str, Callable[[], object]] = {
            "2": lambda: any(label in each for each in labels(user.app.query_one(LiveTree))),
            "3": lambda: label in cells(user.app.query_one(Actors).table, "label"),
            "4": lambda: EVE in cells(user.app.query_one(Connections).table, "user"),
            "5": lambda: EVE in cells(user.app.query_one(Names).query(RowTable).first(), "key"),
            "7": lambda: EVE in cells(user.app.query_one(Pages).table, "1"),
        }
        for key, is_shown in expected.items():
            await user.press(key)
            await user.until(is_shown)
            await user.until(lambda: "[red]" in drawn(user.app))
        await user.press("4")
        await user.until(expected["4"])
        table = user.app.query_one(Connections).table
        table.move_cursor(row=cells(table, "user").index(EVE))  # the console's own connection may stand above it
        await user.press("d")
        await user.until(lambda: isinstance(user.screen, Confirm) and EVE in user.screen.question)
        await user.until(lambda: f"Disconnect {EVE}" in drawn(user.app))
        await user.press("n")
        await ann.leave()


@live
async def test_labels_of_actors_are_text_everywhere(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)), looking(tmp_path, (160, 50)) as user:
        worker = await start(Worker, f"{EVIL} wish", name=EVIL)
        shown = clean(EVIL)
        await user.press("5")
        await user.until(lambda: shown in cells(user.app.query_one(Names).query(RowTable).first(), "key"))
        await user.press("3", "slash", *"Mal", "enter")
        await user.until(lambda: cells(user.app.query_one(Actors).table, "label") == [shown])
        await user.press("enter")
        await user.until(lambda: isinstance(user.screen, ActorScreen) and user.screen.seen is not None)
        assert user.caption.strip() == f"{shown} <{worker.id}>"
        await user.press("s", "y")
        await user.until(lambda: "wish" in user.text)
        await user.press("c")
        await user.until(lambda: isinstance(user.screen, Confirm))
        assert user.screen.question == f"Crash {shown} <{worker.id}>?"
        await user.until(lambda: "[red]Mal" in drawn(user.app))
        assert "\x1b" not in drawn(user.app)
        await user.press("y")
        await user.until(lambda: list(user.app._notifications))
        assert [note.message for note in user.app._notifications] == [f"done: crash {shown}"]
        await user.until(lambda: f"done: crash {shown[:20]}" in drawn(user.app))


@live
async def test_every_view_fits_a_small_terminal(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (_, user):
        for key in "1234567":
            await user.press(key)
            await user.until(lambda key=key: user.app.query_one(TabbedContent).active == f"view-{key}")
            assert user.screen.max_scroll_y == 0
            assert user.screen.query_one(Footer).region.bottom == 24
            (tab,) = [tab for tab in user.screen.query("Tab") if tab.id.endswith("view-7")]
            assert tab.region.right <= 80
            footer = user.screen.query_one(Footer)
            assert max(key.region.right for key in footer.query(FooterKey)) <= 80
        await user.press("question_mark")
        await user.until(lambda: isinstance(user.screen, Keys))
        await user.press("escape")


@live
async def test_a_number_leads_to_its_view_from_anywhere(tmp_path: Path) -> None:
    async with canvas(tmp_path) as (_, user):
        worker = await start(Worker, label="worker")
        await user.open(worker)
        await user.press("6")
        await user.until(lambda: user.app.query_one(TabbedContent).active == "view-6")
        assert len(user.app.screen_stack) == 1
        assert find(worker.id) is worker
        send_exit(worker, "kill")
        await down(worker)
        assert worker.id not in [process.ref.id for process in processes()]
