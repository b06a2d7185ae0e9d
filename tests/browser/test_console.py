"""The web console in Chromium: who is let in, what is shown of a living system, and what hands do to it."""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect

from actors import GenServer, Ref, call, cast, down, start, whereis
from supervision.console.web.gate import COOKIE
from supervision.console.web.static_files import FOLDER
from supervision.server import page_files
from tests.support.console import Asker, console
from tests.support.instance import connection_of
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient

expect.set_options(timeout=30_000)  # the slower the server answers, the more rarely a page asks it
IMG = "<img src=x onerror=alert(1)>"
TURNED, SHOWN = IMG + "\u202e\u200b", IMG + r"\u202e\u200b"
PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
VIEWS = (
    "overview", "tree", "actors", "connections", "names", "topics", "crashes", "pages/people", "pages/bans",
    "pages/canvas", "pages/store", "forms/ban", "forms/rollback",
)  # fmt: skip
RLO = "\u202e"


class Fragile(GenServer):
    """Counts casts, and cannot divide by zero."""

    def init(self) -> None:
        self.counted = 0
        self.secret_token = "hunter2"

    def handle_call(self, request: Any, from_: Any) -> Any:
        return request

    def handle_cast(self, request: Any) -> None:
        self.counted += 1
        1 // request


@dataclass(frozen=True)
class Desk:
    """A browser at a console.

    Attributes:
        ann: asks the console's API
        failures: what went wrong in any page: errors, and violations of its policy
    """

    ann: Asker
    context: BrowserContext
    failures: list[str]

    @property
    def root(self) -> str:
        """Where the console is."""
        return f"http://127.0.0.1:{self.ann.port}/"

    async def open(self, view: str = "overview", token: str | None = None) -> Page:
        """Log in with a token, and show a view once it is live."""
        page = await self.page()
        await page.goto(f"{self.root}login#/{view}")
        await page.get_by_label("Token").fill(token or self.ann.token or "")
        await page.get_by_role("button", name="Log in").click()
        await is_live(page)
        return page

    async def page(self) -> Page:
        """An empty page that is watched."""
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.failures.append(str(error)))
        page.on("console", lambda said: self.failures.append(said.text) if said.type in ("error", "warning") else None)
        page.on("dialog", lambda dialog: self.failures.append(f"a dialog: {dialog.message}"))
        return page


@contextlib.asynccontextmanager
async def desk(tmp_path: Path, chromium: dict[str, Any], user_ids: Any = None, **options: Any) -> AsyncIterator[Desk]:
    """A browser at the console of a canvas of its own; checks that nothing went wrong in its pages."""
    async with console(tmp_path, user_ids=user_ids) as ann, async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(**chromium)
        failures: list[str] = []
        yield Desk(ann, await browser.new_context(**options), failures)
        await browser.close()
        assert failures == []


async def is_live(page: Page) -> None:
    """Wait until a page is told what happens."""
    await expect(page.get_by_test_id("status")).to_have_attribute("data-status", "live")


async def confirm(page: Page, verb: str) -> None:
    """Say yes to the question."""
    await page.get_by_test_id("confirm").get_by_role("button", name=verb).click()


def node(page: Page, label: str) -> Locator:
    """An actor of the tree."""
    return page.get_by_test_id("tree").locator(f'[data-label="{label}"]')


async def width(page: Page) -> int:
    """How wide the page is, with what one would have to scroll to."""
    return int(await page.evaluate("document.documentElement.scrollWidth"))


def ref_of(name: str) -> Ref:
    ref = whereis(name)
    assert isinstance(ref, Ref)
    return ref


# To come in, and to go.


@live
async def test_login_by_the_form_leads_to_what_was_asked_for_and_logout_out_again(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.page()
        await page.goto(f"{here.root}#/crashes")
        token, enter = page.get_by_label("Token"), page.get_by_role("button", name="Log in")
        await token.fill("wrong")
        await enter.click()
        await expect(page.get_by_role("alert")).to_have_text("the token is wrong")
        await token.fill(here.ann.token or "")
        await enter.click()
        await is_live(page)
        await expect(page).to_have_url(f"{here.root}#/crashes")
        await page.get_by_role("button", name="Log out").click()
        await expect(token).to_be_visible()
        await page.goto(f"{here.root}#/tree")
        await expect(token).to_be_visible()
        here.failures[:] = [failure for failure in here.failures if "401" not in failure]  # the browser tells of each


@live
async def test_link_logs_in_once_and_leaves_no_code_in_the_address(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        link = here.ann.application.console.link() or ""
        page = await here.page()
        await page.goto(link)
        await is_live(page)
        assert page.url == here.root
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_label("Token")).to_be_visible()
        await page.goto("about:blank")
        await page.goto(link)
        await expect(page.get_by_role("alert")).to_have_text("the token is wrong")
        here.failures[:] = [failure for failure in here.failures if "401" not in failure]  # the browser tells of each


@live
async def test_cookie_that_another_port_has_set_keeps_nobody_out(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open("overview")
        name = f"{COOKIE}_{here.ann.port}"
        await here.context.add_cookies([{"name": name, "value": "foreign", "domain": "127.0.0.1", "path": "/api"}])
        await page.reload()
        await is_live(page)


@live
async def test_page_without_a_session_asks_for_the_token_and_loads_once(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open("overview")
        loads: list[str] = []
        page.on("response", lambda response: loads.append(response.url))
        refusal = {"error": "a token is required"}
        await page.route(re.compile("/api/"), lambda route: route.fulfill(status=401, json=refusal))
        await page.reload()
        await expect(page.get_by_label("Token")).to_be_visible()
        assert loads.count(here.root) == 1
        here.failures[:] = [each for each in here.failures if "401" not in each and each != "a token is required"]


@live
async def test_session_that_may_only_look_has_no_hands(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        await WebSocketClient.open(here.ann.application)
        page = await here.open("overview", here.ann.reader().token)
        await expect(page.get_by_test_id("access")).to_have_text("read-only")
        await expect(page.get_by_test_id("try-card")).to_contain_text("requires the role administer")
        verbs = re.compile("^(Crash|Kill|Restart|Drain|Disconnect|Ban|Get state|Trace|Actions for .*)$")
        hands = page.get_by_role("button", name=verbs).or_(page.get_by_role("link", name="…"))
        for view, shown in (("overview", "registry"), ("tree", "registry"), ("connections", "user1")):
            await page.goto(f"{here.root}#/{view}")
            await expect(page.locator("#view").get_by_role("link", name=shown).first).to_be_visible()
            await expect(hands).to_have_count(0)
        await page.goto(f"{here.root}#/actors/{ref_of('canvas').id}")
        await expect(page.get_by_role("heading", name="canvas")).to_be_visible()
        await expect(hands).to_have_count(0)
        await page.keyboard.press("c")
        await expect(page.get_by_test_id("confirm")).to_be_hidden()


# The three things that one finds out within a minute.


@live
async def test_actor_is_crashed_on_the_overview_and_comes_back(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page, canvas = await here.open(), ref_of("canvas")
        row = page.get_by_test_id("try-card").get_by_role("listitem").filter(has_text="canvas")
        await row.get_by_role("button", name="Crash").click()
        await page.get_by_test_id("confirm").get_by_role("button", name="Cancel").click()
        assert canvas.is_alive()
        await row.get_by_role("button", name="Crash").click()
        ended = down(canvas)
        await confirm(page, "Crash")
        assert await ended == "crash"
        await expect(row).to_contain_text("came back as")
        await expect(row).to_contain_text("↻ 1")
        await expect(page.get_by_test_id("crash-card")).to_contain_text("canvas")
        assert ref_of("canvas") is not canvas


@live
async def test_longest_mailbox_of_all_connections_is_on_the_overview(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        for _ in range(3):
            await WebSocketClient.open(here.ann.application)
        busy = connection_of(here.ann.application, "user2")
        await here.ann.ask("POST", f"actors/{busy.id}/suspend")
        for number in range(7):
            cast(busy, number)
        page = await here.open()
        first = page.get_by_test_id("mailbox-card").get_by_role("listitem").first
        await expect(first).to_contain_text("user2")
        await expect(first.locator(".soft")).to_have_text(re.compile("^7 waiting"))
        await page.get_by_role("link", name="All of them").first.click()
        await expect(page.locator("tbody tr").first).to_contain_text("user2")
        await here.ann.ask("POST", f"connections/{await connection_id(here.ann, 'user2')}/disconnect")
        await here.ann.ask("POST", f"actors/{busy.id}/exit", {"reason": "kill"})


async def connection_id(ann: Asker, user: str) -> str:
    """The id of a visitor's connection."""
    connections = (await ann.get(f"connections?q={user}"))["connections"]
    return next(str(row["id"]) for row in connections if row["user"] == user)


@live
async def test_reason_of_the_last_crash_is_on_the_overview_and_all_of_it_behind(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    options = {"permissions": ["clipboard-read", "clipboard-write"]}
    async with desk(tmp_path, chromium, **options) as here:
        fragile = await start(Fragile, label="fragile")
        ended = down(fragile)
        cast(fragile, 0)
        await ended
        page = await here.open()
        card = page.get_by_test_id("crash-card")
        await expect(card).to_contain_text("fragile")
        await expect(card).to_contain_text("ZeroDivisionError")
        await card.get_by_role("link", name="Traceback").click()
        await expect(page.get_by_test_id("reason")).to_contain_text("ZeroDivisionError")
        await expect(page.get_by_text("1 // request").first).to_be_visible()
        await expect(page.get_by_text("hunter2")).to_have_count(0)
        await page.get_by_role("button", name="Copy as pytest case").click()
        await expect(page.get_by_text("Copied.")).to_be_visible()
        copied = await page.evaluate("navigator.clipboard.readText()")
        (crash,) = (await here.ann.get("crashes"))["crashes"]
        assert copied == (await here.ann.get(f"crashes/{crash['number']}"))["case"]


# The views.


@live
async def test_restart_flashes_in_the_tree_where_it_happens(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open("tree")
        labels = page.get_by_test_id("tree").locator(".label")
        await expect(node(page, "images")).to_be_visible()
        before = await labels.all_inner_texts()
        await node(page, "images").hover()
        await node(page, "images").get_by_role("button", name="Crash").click()
        await confirm(page, "Crash")
        await expect(node(page, "images")).to_have_class(re.compile("fresh"))
        await expect(node(page, "images")).to_contain_text("1 restart")
        assert await labels.all_inner_texts() == before
        await expect(node(page, "images")).not_to_have_class(re.compile("fresh"))


@live
async def test_tree_is_folded_searched_and_narrowed_down(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open("tree")
        server = node(page, "server")
        await server.locator(".twisty").click()
        await expect(server).to_have_attribute("aria-expanded", "false")
        await expect(node(page, "listener")).to_have_count(2)  # those of the console
        await page.keyboard.press("/")
        await page.keyboard.type("canv")
        await expect(page.get_by_role("treeitem")).to_have_count(2)  # the top supervisor is called canopy
        await page.get_by_role("searchbox").clear()
        await page.get_by_label("Show only").select_option("supervisors")
        await expect(node(page, "canvas")).to_have_count(0)
        await expect(page).to_have_url(re.compile("only=supervisors"))


@live
async def test_tree_folded_over_a_restart_flashes_in_its_place(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open("tree")
        await node(page, "server").locator(".twisty").click()
        listener = next(row for row in (await here.ann.get("actors?q=listener"))["actors"])
        await here.ann.ask("POST", f"actors/{listener['ref']}/exit", {"reason": "crash"})
        await expect(node(page, "server")).to_have_class(re.compile("fresh"))


@live
async def test_actor_page_goes_on_with_the_successor(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        images = ref_of("images")
        page = await here.open(f"actors/{images.id}")
        await page.get_by_role("button", name="Crash").click()
        await confirm(page, "Crash")
        await expect(page.get_by_test_id("fate")).to_contain_text("came back as")
        await expect(page).to_have_url(f"{here.root}#/actors/{ref_of('images').id}")
        assert ref_of("images") is not images


@live
async def test_state_is_shown_when_asked_for_and_messages_are_traced(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        fragile = await start(Fragile, label="fragile")
        page = await here.open(f"actors/{fragile.id}")
        await page.get_by_role("button", name="Get state").click()
        await expect(page.get_by_test_id("state")).to_contain_text("counted")
        await expect(page.get_by_test_id("state")).not_to_contain_text("hunter2")
        await page.get_by_role("button", name="Trace", exact=True).click()
        await expect(page.get_by_text("running")).to_be_visible()
        assert await call(fragile, "hello") == "hello"
        await expect(page.get_by_test_id("trace").locator("li")).to_have_count(2)  # with the reply
        await page.get_by_role("button", name="Stop").click()
        await expect(page.get_by_text("The trace has ended")).to_be_visible()
        await here.ann.ask("POST", f"actors/{fragile.id}/exit", {"reason": "kill"})


@live
async def test_suspended_actor_is_resumed(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open(f"actors/{ref_of('images').id}")
        for verb, other in (("Suspend", "Resume"), ("Resume", "Suspend")):
            await page.get_by_role("button", name=verb).click()
            await confirm(page, verb)
            await expect(page.get_by_role("button", name=other)).to_be_visible()


@live
async def test_actors_are_sorted_and_paged_by_the_server(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        fragile = [await start(Fragile, label=f"fragile {number}") for number in range(120)]
        page = await here.open("actors?q=fragile&sort=label&order=asc")
        rows = page.locator("tbody tr")
        await expect(rows).to_have_count(100)
        await expect(rows.first).to_contain_text("fragile 0")
        await page.keyboard.press("]")
        await expect(rows).to_have_count(20)
        await page.get_by_role("button", name="Label").click()
        await expect(rows.first).to_contain_text("fragile 99")
        await expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
        for ref in fragile:
            await here.ann.ask("POST", f"actors/{ref.id}/exit", {"reason": "kill"})


@live
async def test_client_is_disconnected_from_the_list(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        await WebSocketClient.open(here.ann.application)
        page = await here.open("connections")
        ended = down(connection_of(here.ann.application, "user1"))
        await page.get_by_role("button", name="Actions for user1").click()
        await page.get_by_test_id("confirm").get_by_role("button", name="Disconnect…").click()
        await confirm(page, "Disconnect")
        await ended
        await expect(page.get_by_text("There are no connections.")).to_be_visible()


@live
async def test_all_views_by_keyboard(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open()
        await page.keyboard.press("?")
        await expect(page.get_by_role("heading", name="Keys")).to_be_visible()
        await page.keyboard.press("Escape")
        titles = ("Overview", "Tree", "Actors", "Connections", "Names", "Topics", "Crashes", "Users")
        for number, title in enumerate(titles, start=1):
            await page.keyboard.press(str(number))
            await expect(page.locator("nav [aria-current]")).to_have_text(title)
        await page.keyboard.press("2")
        await expect(node(page, "canopy")).to_be_visible()
        for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
            await page.keyboard.press(key)
        await expect(node(page, "canopy")).to_be_focused()
        await page.keyboard.press("ArrowLeft")
        await expect(page.get_by_role("treeitem")).to_have_count(1)
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowRight")
        await expect(node(page, "registry")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="registry")).to_be_visible()
        await page.keyboard.press("u")
        await expect(page.get_by_role("heading", name="canopy", exact=True)).to_be_visible()
        await page.keyboard.press("3")
        await expect(page.locator("tbody tr").first).to_be_visible()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("#/actors/[0-9]+$"))


@live
async def test_paused_page_stands_still(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open("actors?q=fragile")
        await expect(page.get_by_text("Nothing matches")).to_be_visible()
        await page.keyboard.press("p")
        await expect(page.get_by_test_id("status")).to_have_text("Paused")
        fragile = await start(Fragile, label="fragile")
        await page.keyboard.press("p")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await here.ann.ask("POST", f"actors/{fragile.id}/exit", {"reason": "kill"})


# To moderate.


async def vandalism(ann: Asker) -> tuple[WebSocketClient, WebSocketClient]:
    """Ann paints, Eve paints over it."""
    painter = await WebSocketClient.open(ann.application, "/ws?name=Ann")
    eve = await WebSocketClient.open(ann.application, "/ws?name=Eve")
    for client, color in ((painter, "#00FF00"), (eve, "#FF0000")):
        for x in range(4):
            client.paint(x, 1, color)
        await client.until(lambda client=client: len(client.screen.own) == 4)
    return painter, eve


async def all_are(painter: WebSocketClient, color: str) -> None:
    pixels = {(x, 1): color for x in range(4)}
    await painter.until(lambda: painter.screen.pixels == pixels)


@live
async def test_griefer_is_banned_by_name_the_damage_rolled_back_and_all_of_it_undone(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    async with desk(tmp_path, chromium) as here:
        painter, eve = await vandalism(here.ann)
        page = await here.open("pages/people")
        told = page.get_by_test_id("told")
        await page.get_by_role("searchbox").fill("eve")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.locator("tbody").get_by_role("link", name="Ban…").click()
        await expect(told).to_contain_text("Eve (user2) will be banned for 1 day.")
        await page.get_by_label("Reason").fill("paints over others")  # and straight on to the button
        await told.get_by_role("button", name="Ban", exact=True).click()
        await expect(told).to_contain_text("Eve (user2) is banned for 1 day. 1 connection was closed.")
        code, reason = await eve.end()
        assert (code, reason.endswith(": paints over others")) == (4403, True)
        await told.get_by_role("link", name="Roll back what they painted…").click()
        await expect(told).to_contain_text("4 pixels painted by Eve (user2) will be restored.")
        await expect(told.get_by_role("img")).to_have_count(2)
        await told.get_by_role("button", name="Roll back", exact=True).click()
        await expect(told).to_contain_text("4 pixels restored.")
        await all_are(painter, "#00FF00")
        await told.get_by_role("link", name="Undo this rollback…").click()
        await told.get_by_role("button", name="Roll back", exact=True).click()
        await expect(told).to_contain_text("4 pixels restored.")
        await all_are(painter, "#FF0000")
        await page.goto(f"{here.root}#/pages/bans")
        await expect(page.locator("tbody tr")).to_contain_text("paints over others")
        await page.locator("tbody").get_by_role("link", name="Lift…").click()
        await told.get_by_role("button", name="Lift", exact=True).click()
        await expect(told).to_contain_text("Eve (user2) is no longer banned.")
        assert await here.ann.get("bans") == []


@live
async def test_griefer_is_banned_and_the_damage_rolled_back_on_a_phone(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    async with desk(tmp_path, chromium, **PHONE) as here:
        painter, eve = await vandalism(here.ann)
        page = await here.open()
        told = page.get_by_test_id("told")
        await page.get_by_role("button", name="Overview").tap()
        await page.get_by_role("navigation").get_by_role("link", name="Canvas").tap()
        await expect(page.get_by_role("navigation").get_by_role("link", name="Canvas")).to_be_hidden()
        row = page.locator("tbody tr").filter(has_text="Eve")
        await row.get_by_role("button", name="Actions for Eve, user2").tap()
        await page.get_by_test_id("confirm").get_by_role("link", name="Ban…").tap()
        await told.get_by_role("button", name="Ban", exact=True).tap()
        await expect(told).to_contain_text("is banned")
        assert (await eve.end())[0] == 4403
        await told.get_by_role("link", name="Roll back what they painted…").tap()
        await told.get_by_role("button", name="Roll back", exact=True).tap()
        await expect(told).to_contain_text("4 pixels restored.")
        await all_are(painter, "#00FF00")
        assert await width(page) <= 360


@live
async def test_own_address_is_banned_only_by_who_says_yes_to_that(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open("forms/ban?whom=127.0.0.1")
        told = page.get_by_test_id("told")
        ban = told.get_by_role("button", name="Ban", exact=True)
        await expect(told).to_contain_text("This would ban your own address 127.0.0.1.")
        await expect(ban).to_be_disabled()
        await told.get_by_label("Yes, ban your own address 127.0.0.1").check()
        await ban.click()
        await expect(told).to_contain_text("127.0.0.1 is banned for 1 day.")


@live
async def test_form_says_why_a_target_means_nobody(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open("forms/ban")
        await page.get_by_label("Whom").fill("192.0.2.300")
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("told")).to_contain_text("'192.0.2.300' is not an address, and no user")
        here.failures[:] = [failure for failure in here.failures if "404" not in failure]


@live
async def test_area_of_a_rollback_is_drawn_on_the_canvas(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        await vandalism(here.ann)
        page = await here.open("forms/rollback")
        await page.get_by_role("button", name="Draw it").click()
        picture = page.get_by_role("img", name="Draw a rectangle here")
        await expect(picture).to_have_js_property("naturalWidth", 32)
        box = await page.locator(".area").bounding_box()
        assert box is not None
        pixel = box["width"] / 32
        await page.mouse.move(box["x"] + 2.5 * pixel, box["y"] + 3.5 * pixel)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 1.5 * pixel, box["y"] + 1.5 * pixel)
        await page.mouse.up()
        await expect(page.get_by_label("Where")).to_have_value("1,1,2,3")
        await page.get_by_role("button", name="Preview").click()
        told = page.get_by_test_id("told")
        await expect(told).to_contain_text("2 pixels painted by 2 users will be restored.")
        await expect(told.locator("tbody tr")).to_have_count(2)


@live
async def test_pages_of_the_application_have_pages(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        for number in range(101):
            await here.ann.ask("POST", f"bans?whom=192.0.2.{number}")
        page = await here.open("pages/bans")
        await expect(page.locator("tbody tr")).to_have_count(100)
        await page.get_by_role("button", name="Next page").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("tbody tr")).to_contain_text("192.0.2.0")
        await page.get_by_role("searchbox").fill("nothing like it")
        await expect(page.get_by_text("Nothing matches")).to_be_visible()


# What others write.


@live
async def test_text_that_turns_the_direction_or_cannot_be_seen_is_shown_as_its_escapes(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    async with desk(tmp_path, chromium) as here:
        label = f"evil{RLO}live\u3164\u2028\x1b \U0001f468\u200d\U0001f469 \u0628\u200c\u062a"
        shown = "evil\\u202elive\\u3164\\u2028\\x1b \U0001f468\u200d\U0001f469 \u0628\u200c\u062a"
        ref_of("canvas").label = label
        page = await here.open()
        for view in ("tree", "actors?q=evil", "names?q=evil", f"actors/{ref_of('canvas').id}"):
            await page.goto(f"{here.root}#/{view}")
            await expect(page.locator("#view").get_by_text(shown).first).to_be_visible()
            assert RLO not in await page.locator("body").inner_text()
        await expect(page).to_have_title(re.compile("u202elive"))
        await page.get_by_role("button", name="Crash").click()
        await expect(page.get_by_test_id("confirm")).to_contain_text(shown)
        assert await page.locator("#view h2").evaluate("it => getComputedStyle(it).unicodeBidi") == "isolate"


@live
async def test_label_and_user_name_that_are_markup_are_shown_as_text(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium, user_ids=[IMG]) as here:
        await WebSocketClient.open(here.ann.application)
        ref_of("canvas").label = TURNED
        fragile = await start(Fragile, label=TURNED)
        ended = down(fragile)
        cast(fragile, 0)
        await ended
        page = await here.open()
        views = ("overview", "tree", "actors?q=onerror", "connections", "names?q=onerror", "crashes", "pages/people")
        for view in (*views, f"actors/{ref_of('canvas').id}", "crashes/1"):
            await page.goto(f"{here.root}#/{view}")
            text = IMG if view in ("connections", "pages/people") else SHOWN
            await expect(page.locator("#view").get_by_text(text).first).to_be_visible()
            await expect(page.locator("#view img")).to_have_count(0)
        await page.goto(f"{here.root}#/actors/{ref_of('canvas').id}")
        await page.get_by_role("button", name="Crash").click()
        await expect(page.get_by_test_id("confirm")).to_contain_text(SHOWN)
        await page.keyboard.press("Escape")


@live
async def test_address_of_nothing_says_so(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open("actors/999999")
        await expect(page.get_by_role("alert")).to_have_text("there is no actor 999999")
        here.failures[:] = [failure for failure in here.failures if "404" not in failure]


# The ways it is used.


def test_page_loads_all_its_modules_at_once() -> None:
    modules = {url.removeprefix("/") for url, path in page_files(FOLDER) if path.suffix == ".js"}
    preloaded = re.findall(r'rel="modulepreload" href="([^"]+)"', (FOLDER / "index.html").read_text())
    assert set(preloaded) == modules - {"static/login.js"}


@live
async def test_no_view_scrolls_sideways_on_a_phone(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium, user_ids=["long-" * 40], **PHONE) as here:
        await WebSocketClient.open(here.ann.application)
        ref_of("canvas").label = "canvas-" * 30
        await here.ann.ask("POST", f"actors/{ref_of('images').id}/exit", {"reason": "crash"})
        page = await here.open()
        for view in (*VIEWS, f"actors/{ref_of('canvas').id}", "crashes/1"):
            await page.goto(f"{here.root}#/{view}")
            await expect(page.locator("#view h2").first).to_be_visible()
            assert await width(page) <= 360, view


@live
async def test_actor_is_crashed_with_a_finger(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium, **PHONE) as here:
        page = await here.open("tree")
        await expect(node(page, "images").get_by_role("button", name="Crash")).to_be_hidden()
        await node(page, "images").get_by_role("link").tap()
        await page.get_by_role("button", name="Crash").tap()
        await page.get_by_test_id("confirm").get_by_role("button", name="Crash").tap()
        await expect(page.get_by_test_id("fate")).to_contain_text("came back as")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_views_show_without_an_error(tmp_path: Path, chromium: dict[str, Any], scheme: str) -> None:
    @live
    async def scenario() -> None:
        async with desk(tmp_path, chromium, color_scheme=scheme, reduced_motion="reduce") as here:
            page = await here.open()
            for view in VIEWS:
                await page.goto(f"{here.root}#/{view}")
                await expect(page).to_have_title(re.compile("Canopy console"))
                await expect(page.locator("#view h2").first).not_to_be_empty()
            await expect(page.locator("#notice")).to_be_hidden()

    scenario()


@live
async def test_lost_connection_is_told_and_comes_back_by_itself(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with desk(tmp_path, chromium) as here:
        page = await here.open("tree")
        await expect(node(page, "images")).to_be_visible()
        await here.context.set_offline(True)
        web = here.ann.application.console.web
        assert web is not None
        for wire in list(web.wires.values()):
            wire.abort()
        await expect(page.get_by_test_id("banner")).to_be_visible()
        await here.context.set_offline(False)
        await is_live(page)
        await expect(page.get_by_test_id("banner")).to_be_hidden()
        assert len(here.failures) < 10  # each attempt is told by the browser, and they become rarer
        here.failures.clear()
