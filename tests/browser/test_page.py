"""The page in Chromium against the real server: people paint together, and crashes pass unnoticed."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Browser, Dialog, Page, async_playwright

from actors import Ref, whereis
from canvas.application import CanvasApplication
from canvas.board.area import Area
from canvas.board.rules import Cooldown
from canvas.config import read_rate_limit
from canvas.messages.binary_codec import ServerKind
from supervision.console.terminal.client import ask_admin
from tests.support.instance import connection_of, mended, new_application, running
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient

COUNT_SOCKETS = """
    window.opened = 0;
    window.WebSocket = class extends window.WebSocket {
        constructor(...args) { super(...args); window.opened += 1; }
    };
"""

STILL = "document.querySelector('[data-testid=still]')"
PIXELS = """
    (image) => {
        const context = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
        context.drawImage(image, 0, 0);
        return [[0, 0], [1, 1]].map(([x, y]) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)]);
    }
"""
"""The colours of two pixels of an image."""

SPILLED = """
    [...document.querySelectorAll("#help dt")].filter((term) => {
        const words = document.createRange();
        words.selectNodeContents(term);
        return words.getBoundingClientRect().right > term.nextElementSibling.getBoundingClientRect().left;
    }).map((term) => term.textContent)
"""
"""The terms of the help that run into their explanations."""


@contextlib.asynccontextmanager
async def browser_and_canvas(
    tmp_path: Path, chromium: dict[str, Any], **options: Any
) -> AsyncIterator[tuple[Browser, CanvasApplication]]:
    """A browser, and a canvas of its own to look at."""
    async with async_playwright() as playwright, running(new_application(tmp_path, **options)) as application:
        browser = await playwright.chromium.launch(**chromium)
        yield browser, application
        await browser.close()


async def open_page(browser: Browser, application: CanvasApplication, **options: Any) -> Page:
    """A page of a new visitor, once it shows the canvas."""
    page = await new_page(browser, **options)
    await visit(page, application)
    return page


async def new_page(browser: Browser, **options: Any) -> Page:
    """An empty page of somebody new. Its `failures` are what went wrong in it."""
    # The page's own policy forbids `eval`, which playwright's waiting needs.
    context = await browser.new_context(bypass_csp=True, **options)
    await context.add_init_script(COUNT_SOCKETS)
    page = await context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    page.failures = failures  # type: ignore[attr-defined]
    return page


async def visit(page: Page, application: CanvasApplication) -> None:
    """Load the page of a canvas, until it shows it."""
    await page.goto(f"http://127.0.0.1:{application.sockets.port}/")
    await page.locator("[data-testid=status][data-status=live]").wait_for()


async def shows(page: Page, x: int, y: int, color: str) -> None:
    """Wait until a page shows a colour."""
    await page.wait_for_function("([x, y, color]) => window.canopy.pixel(x, y) === color", arg=[x, y, color])


async def paint(page: Page, x: int, y: int, color: str) -> None:
    """Paint a pixel, and wait until it is acknowledged."""
    await page.evaluate("([x, y, color]) => window.canopy.paint(x, y, color)", [x, y, color])
    await page.wait_for_function("() => window.canopy.pending === 0")


async def check_undisturbed(page: Page) -> None:
    """The page is on its first WebSocket, and nothing went wrong in it."""
    assert await page.get_attribute("[data-testid=status]", "data-status") == "live"
    assert await page.evaluate("window.opened") == 1
    assert page.failures == []  # type: ignore[attr-defined]


async def crash(application: CanvasApplication, ref: Ref | None) -> None:
    """Crash an actor through the admin socket, as `canopy crash` does, and wait for its successor."""
    assert ref is not None
    path = f"/api/v1/actors/{ref.id}/exit"
    ask = functools.partial(ask_admin, application.config.data, "POST", path, {"reason": "crash"})
    await asyncio.get_running_loop().run_in_executor(None, ask)
    await mended(application)


@live
async def test_pixel_painted_with_the_mouse_appears_in_the_other_window(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    async with browser_and_canvas(tmp_path, chromium) as (browser, application):
        ann, bob = await open_page(browser, application), await open_page(browser, application)
        for page in (ann, bob):
            await page.wait_for_function("() => window.canopy.userCount === 2")
            assert await page.inner_text("[data-testid=people-count]") == "2"
        watcher = await WebSocketClient.open(application)
        board = await ann.locator("[data-testid=board]").bounding_box()
        assert board is not None
        await ann.mouse.move(board["x"] + board["width"] / 2, board["y"] + board["height"] / 2)
        await ann.mouse.down()
        await ann.mouse.move(board["x"] + board["width"] / 2 + 60, board["y"] + board["height"] / 2, steps=5)
        await ann.mouse.up()
        await ann.wait_for_function("() => window.canopy.pending === 0 && window.canopy.seq > 0")
        seq = await ann.evaluate("window.canopy.seq")
        await watcher.until(lambda: watcher.screen.seq >= seq)
        assert watcher.screen.pixels
        for (x, y), color in watcher.screen.pixels.items():
            for page in (ann, bob):
                await shows(page, x, y, color)
        for page in (ann, bob):
            await check_undisturbed(page)


@live
async def test_chosen_colour_is_painted(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium) as (browser, application):
        ann = await open_page(browser, application)
        watcher = await WebSocketClient.open(application)
        colors = set()
        swatches = ann.locator("[data-testid=palette] button, [data-testid=palette] [role=radio]")
        for number in (2, 4):
            await swatches.nth(number).click()
            seq = watcher.screen.seq
            await ann.locator("[data-testid=board]").click(position={"x": 400 + 60 * number, "y": 300})
            await watcher.until(lambda seq=seq: watcher.screen.seq > seq)
            colors |= set(watcher.screen.pixels.values())
        assert len(colors) == 2
        await check_undisturbed(ann)


@live
async def test_actors_crash_while_both_paint_and_both_go_on(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium) as (browser, application):
        ann, bob = await open_page(browser, application), await open_page(browser, application)
        for y, victim in enumerate(("connection", "broadcaster", "canvas", "registry", "connection", "canvas")):
            painting = asyncio.gather(
                *(paint(ann, x, y, "#FF0000") for x in range(6)),
                *(paint(bob, x + 8, y, "#0000FF") for x in range(6)),
            )
            user_id = await ann.evaluate("window.canopy.userId")
            is_named = victim != "connection"
            await crash(application, whereis(victim) if is_named else connection_of(application, user_id))
            await painting
        fresh = await WebSocketClient.open(application)
        assert fresh.screen.pixels == {
            **{(x, y): "#FF0000" for x in range(6) for y in range(6)},
            **{(x + 8, y): "#0000FF" for x in range(6) for y in range(6)},
        }
        for page in (ann, bob):
            for (x, y), color in fresh.screen.pixels.items():
                await shows(page, x, y, color)
            await page.wait_for_function("() => window.canopy.userCount === 3")
            await check_undisturbed(page)


@live
async def test_page_tells_of_pixels_that_wait_for_the_rate_limit(tmp_path: Path, chromium: dict[str, Any]) -> None:
    limit = read_rate_limit("--rate-limit", "100/s")
    async with browser_and_canvas(tmp_path, chromium, rate_limit=limit) as (browser, application):
        ann = await open_page(browser, application)
        waiting = ann.get_by_test_id("status").get_by_text("px waiting")
        await ann.evaluate("for (let i = 0; i < 512; i++) window.canopy.paint(i % 32, i >> 5, '#FF0000')")
        await waiting.wait_for()
        await ann.wait_for_function("() => window.canopy.pending === 0")
        await waiting.wait_for(state="detached")
        assert await ann.get_by_test_id("status").inner_text() == "Live"
        await check_undisturbed(ann)


@live
async def test_page_comes_back_after_a_restart_of_the_server(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path / "first", chromium) as (browser, application):
        ann = await open_page(browser, application)
        await paint(ann, 0, 0, "#FF0000")
        port = application.sockets.port
        await application.stop()
        await ann.locator("[data-testid=status]:not([data-status=live])").wait_for()
        application.close()
        async with running(new_application(tmp_path / "second", port=port)):
            await ann.locator("[data-testid=status][data-status=live]").wait_for()
            await shows(ann, 0, 0, "#FFFFFF")  # another canvas: the memory store forgets
            await paint(ann, 1, 1, "#0000FF")


def count_frames(page: Page) -> dict[int, int]:
    """Count what the page is sent from now on, by the first byte of the message; the dict goes on counting."""
    counted: dict[int, int] = {}

    def count(frame: str | bytes) -> None:
        kind = frame[0] if isinstance(frame, bytes) else 0
        counted[kind] = counted.get(kind, 0) + 1

    page.on("websocket", lambda socket: socket.on("framereceived", count))
    return counted


@live
async def test_page_that_comes_back_is_sent_what_it_missed_and_no_snapshot(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    async with browser_and_canvas(tmp_path, chromium) as (browser, application):
        ann, bob = await open_page(browser, application), await WebSocketClient.open(application)
        await paint(ann, 0, 0, "#FF0000")
        frames = count_frames(ann)
        context = ann.context
        await context.set_offline(True)
        host, port = bob.connection.local_address
        for wire in list(application.sockets.wires.values()):
            if wire.peer != f"{host}:{port}":
                wire.abort()
        await ann.locator("[data-testid=status]:not([data-status=live])").wait_for()
        bob.paint(1, 1, "#00FF00")
        await ann.evaluate("() => window.canopy.paint(2, 2, '#0000FF')")
        await context.set_offline(False)
        await ann.locator("[data-testid=status][data-status=live]").wait_for()
        await ann.wait_for_function("() => window.canopy.pending === 0")
        await shows(ann, 1, 1, "#00FF00")
        await bob.until(lambda: bob.screen.pixels.get((2, 2)) == "#0000FF")
        assert bob.screen.seq == 3  # painted once
        assert (frames[ServerKind.WELCOME], frames.get(ServerKind.SNAPSHOT)) == (1, None)
        await bob.leave()


@live
async def test_page_that_hears_nothing_connects_again(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium) as (browser, application):
        ann = await open_page(browser, application)
        await ann.evaluate("Date.now = ((now) => () => now() + 46_000)(Date.now)")  # as if 46 s had passed in silence
        await ann.wait_for_function("() => window.opened === 2 && window.canopy.status === 'live'")
        await paint(ann, 1, 1, "#FF0000")


@live
async def test_page_asks_before_pixels_are_lost(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium) as (browser, application):
        ann = await open_page(browser, application)
        asked: list[str] = []

        async def answer(dialog: Dialog) -> None:
            asked.append(dialog.type)
            await dialog.dismiss()

        ann.on("dialog", answer)
        await ann.locator("[data-testid=board]").click()  # a page that nobody has touched may not ask
        await ann.wait_for_function("() => window.canopy.seq === 1 && window.canopy.pending === 0")
        await ann.context.set_offline(True)
        await ann.locator("[data-testid=status][data-status=offline]").wait_for()
        await ann.evaluate("() => window.canopy.paint(2, 2, '#0000FF')")
        async with ann.expect_event("dialog"):
            await ann.close(run_before_unload=True)
        assert asked == ["beforeunload"]
        await ann.context.set_offline(False)
        await ann.wait_for_function("() => window.canopy.pending === 0")
        async with ann.expect_event("close"):
            await ann.close(run_before_unload=True)
        assert asked == ["beforeunload"]


@live
async def test_page_loads_again_when_a_full_server_refuses_some_of_it(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium) as (browser, application):
        page = await (await browser.new_context(bypass_csp=True)).new_page()
        await page.clock.install()
        await page.route("**/static/net/outbox.js", lambda route: route.fulfill(status=503))
        await page.goto(f"http://127.0.0.1:{application.sockets.port}/")
        await page.get_by_text("The server is full, trying again").wait_for()
        await page.unroute("**/static/net/outbox.js")
        await page.clock.fast_forward(10_000)
        await page.locator("[data-testid=status][data-status=live]").wait_for()


@live
async def test_who_is_banned_is_told_so_also_after_a_reload_and_not_connected_again(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    async with browser_and_canvas(tmp_path, chromium) as (browser, application):
        ann = await open_page(browser, application)
        await paint(ann, 1, 1, "#FF0000")
        query = urlencode({"whom": await ann.evaluate("window.canopy.userId"), "reason": "paints over others"})
        ask = functools.partial(ask_admin, application.config.data, "POST", f"/api/v1/bans?{query}")
        await asyncio.get_running_loop().run_in_executor(None, ask)
        for moment in ("at once", "after a reload"):
            await ann.locator("[data-testid=status][data-status=closed]").wait_for()
            for shown in ("toasts", "status"):
                await ann.get_by_test_id(shown).get_by_text("You are banned: paints over others").wait_for()
            assert await ann.evaluate("window.opened") == 1
            assert await ann.evaluate("window.canopy.paint(2, 2, '#00FF00')") is False
            await ann.get_by_test_id("look-only").wait_for()
            assert await ann.get_by_test_id("still").is_visible() is (moment == "after a reload")
            await ann.reload()
        still = ann.get_by_test_id("still")
        await still.wait_for()
        await ann.wait_for_function(f"() => {STILL}.src.endsWith('every=1') && {STILL}.complete")
        assert await still.evaluate(PIXELS) == [[255, 255, 255], [255, 0, 0]]


@live
async def test_one_connection_of_an_address_is_enough_for_a_page(tmp_path: Path, chromium: dict[str, Any]) -> None:
    limits = {"max_connections_per_ip": 1, "max_new_connections_per_ip": 1}
    async with browser_and_canvas(tmp_path, chromium, **limits) as (browser, application):
        ann = await open_page(browser, application)
        await paint(ann, 1, 1, "#FF0000")
        await check_undisturbed(ann)


@live
async def test_page_knows_of_a_large_canvas_what_it_looks_at(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium, width=10_000, height=10_000) as (browser, application):
        bob = await WebSocketClient.open(application, "/ws?x=0&y=0&width=1&height=1")
        bob.paint(9_000, 9_000, "#FF0000")
        await bob.until(lambda: bool(bob.screen.own))
        ann = await open_page(browser, application)
        await ann.evaluate("() => { location.hash = '#9000,9000,20' }")
        await shows(ann, 9_000, 9_000, "#FF0000")
        await paint(ann, 9_001, 9_000, "#00FF00")
        await ann.evaluate("() => { location.hash = '#100,100,20' }")
        bob.paint(100, 100, "#0000FF")
        await shows(ann, 100, 100, "#0000FF")
        assert ann.failures == []  # type: ignore[attr-defined]
        await bob.leave()


@live
async def test_page_fits_a_phone_and_is_painted_with_a_finger(tmp_path: Path, chromium: dict[str, Any]) -> None:
    phone = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
    async with browser_and_canvas(tmp_path, chromium) as (browser, application):
        ann = await open_page(browser, application, **phone)
        assert await ann.evaluate("document.documentElement.scrollWidth") <= 360
        await ann.get_by_label("Help", exact=True).tap()
        for width in (430, 390, 360):
            await ann.set_viewport_size({"width": width, "height": 640})
            assert await ann.evaluate(SPILLED) == []
        await ann.keyboard.press("Escape")
        await ann.touchscreen.tap(180, 240)  # in the middle of the canvas, above the dock
        await ann.wait_for_function("() => window.canopy.seq > 0 && window.canopy.pending === 0")
        await check_undisturbed(ann)


@live
async def test_palette_of_the_canvas_takes_the_place_of_the_swatches(tmp_path: Path, chromium: dict[str, Any]) -> None:
    colors = (0x112233, 0xE5383B, 0x445566)
    async with browser_and_canvas(tmp_path, chromium, palette=colors) as (browser, application):
        ann = await open_page(browser, application)
        swatches = ann.locator("[data-testid=palette] button")
        offered = await swatches.evaluate_all("all => all.map((swatch) => swatch.dataset.color)")
        assert offered == ["#112233", "#E5383B", "#445566"]
        for label in ("Custom colour", "Erase"):  # the background is not in the palette
            await ann.get_by_label(label, exact=True).wait_for(state="hidden")
        await swatches.nth(2).click()
        await ann.mouse.click(640, 300)
        await ann.wait_for_function("() => window.canopy.pending === 0 && window.canopy.seq === 1")
        assert await ann.evaluate("window.canopy.paint(1, 1, '#00FF00')") is False
        await ann.get_by_text("not in the palette").wait_for()
        watcher = await WebSocketClient.open(application)
        assert list(watcher.screen.pixels.values()) == ["#445566"]
        await check_undisturbed(ann)
        await watcher.leave()


@live
async def test_page_counts_a_cooldown_down_and_queues_nothing(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium, cooldown=Cooldown(90, 90)) as (browser, application):
        ann = await open_page(browser, application)
        await ann.mouse.move(600, 300)
        await ann.mouse.down()
        await ann.mouse.move(760, 380, steps=8)  # a stroke of many cells
        await ann.mouse.up()
        await ann.wait_for_function("() => window.canopy.pending === 0 && window.canopy.seq === 1")
        assert (await ann.inner_text("[data-testid=wait]"))[0] == "1"  # minute
        for name in ("Undo", "Redo"):
            button = ann.get_by_role("button", name=f"{name}: wait 1:")
            assert await button.get_attribute("aria-disabled") == "true"
        await ann.keyboard.press("Control+z")
        assert await ann.evaluate("window.canopy.pending") == 0
        assert await ann.evaluate("window.canopy.paint(3, 3, '#00FF00')") is False
        await ann.reload()
        await ann.locator("[data-testid=status][data-status=live]").wait_for()
        await ann.locator("[data-testid=wait]").wait_for()
        assert await ann.evaluate("window.canopy.paint(3, 3, '#00FF00')") is False
        assert await ann.evaluate("[window.canopy.seq, window.canopy.pending]") == [1, 0]
        assert await ann.inner_text("[data-testid=toasts]") == ""
        assert ann.failures == []  # type: ignore[attr-defined]


@live
async def test_page_paints_again_when_the_cooldown_is_over(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium, cooldown=Cooldown(0.3, 0.3)) as (browser, application):
        ann = await open_page(browser, application)
        for x in (1, 2, 3):
            await paint(ann, x, 1, "#00FF00")
            await ann.locator("[data-testid=wait]").wait_for(state="hidden")
            await ann.get_by_role("button", name="Undo: counts as a pixel").wait_for()
        assert await ann.evaluate("window.canopy.seq") == 3
        await check_undisturbed(ann)


@live
async def test_locked_area_is_hatched_and_not_painted(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium, locked=(Area(0, 0, 16, 16),)) as (browser, application):
        ann = await open_page(browser, application)
        count = """
            new Set(new Uint32Array(document.getElementById("board").getContext("2d").getImageData(
                innerWidth / 2 + %d, innerHeight / 2 - 60, 60, 60).data.buffer)).size
        """
        await ann.locator("#board.ready").wait_for()
        plain, hatched = [await ann.evaluate(count % offset) for offset in (120, -180)]
        assert hatched > plain
        assert await ann.evaluate("window.canopy.paint(15, 15, '#00FF00')") is False
        await ann.get_by_text("part of the canvas is locked").wait_for()
        await paint(ann, 16, 15, "#00FF00")
        assert await ann.evaluate("window.canopy.seq") == 1
        await check_undisturbed(ann)


@live
async def test_read_only_canvas_has_no_tools_and_is_moved_by_dragging(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium, read_only=True) as (browser, application):
        ann = await open_page(browser, application)
        await ann.locator("[data-testid=look-only]").wait_for()
        for label in ("Draw", "Erase", "Undo", "Colours"):
            await ann.get_by_label(label, exact=True).wait_for(state="hidden")
        await ann.keyboard.press("b")
        await ann.mouse.move(600, 300)
        await ann.mouse.down()
        await ann.mouse.move(700, 340, steps=4)
        await ann.mouse.up()
        await ann.wait_for_function("() => location.hash.length > 1")  # the view has moved
        assert await ann.evaluate("[window.canopy.seq, window.canopy.pending]") == [0, 0]
        assert await ann.inner_text("[data-testid=toasts]") == ""
        await check_undisturbed(ann)


@live
async def test_who_rests_on_a_pixel_is_told_who_painted_it_and_when(tmp_path: Path, chromium: dict[str, Any]) -> None:
    phone = {"viewport": {"width": 390, "height": 700}, "has_touch": True, "is_mobile": True}
    async with browser_and_canvas(tmp_path, chromium, width=8, height=8) as (browser, application):
        ann, bob = await open_page(browser, application), await open_page(browser, application, **phone)
        for x, y in ((x, y) for x in range(8) for y in range(8)):
            await ann.evaluate("([x, y]) => window.canopy.paint(x, y, '#00FF00')", [x, y])
        await ann.mouse.move(640, 300)
        await ann.locator("[data-testid=readout]", has_text="you, just now").wait_for()
        await bob.get_by_label("Move around", exact=True).tap()
        await bob.touchscreen.tap(195, 300)
        await bob.locator("[data-testid=readout]", has_text="user1, just now").wait_for()
        for x, y in ((x, y) for x in range(8) for y in range(8)):
            await ann.evaluate("([x, y]) => window.canopy.paint(x, y, '#FFFFFF')", [x, y])
        await ann.locator("[data-testid=readout]", has_text="erased by you, just now").wait_for()
        for page in (ann, bob):
            await check_undisturbed(page)


RED = """
    () => {
        const { width, height } = document.getElementById("board");
        const { data } = document.getElementById("board").getContext("2d").getImageData(0, 0, width, height);
        return new Uint32Array(data.buffer).filter((pixel) => pixel === 0xFF0000FF).length;
    }
"""
"""How many red pixels the board shows."""

LOSE_BITMAPS = """
    () => {
        for (const bitmap of [...window.bitmaps, ...document.querySelectorAll("canvas")]) {
            bitmap.getContext("2d").reset();
            bitmap.dispatchEvent(new Event("contextrestored"));
        }
    }
"""

COLLECT_BITMAPS = """
    window.bitmaps = [];
    const create = document.createElement.bind(document);
    document.createElement = (name) => {
        const element = create(name);
        if (name === "canvas") window.bitmaps.push(element);
        return element;
    };
"""


async def next_frame(page: Page) -> None:
    """Wait until the page has drawn."""
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@live
async def test_page_keeps_what_it_shows_and_what_was_chosen(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium, width=64, height=48) as (browser, application):
        ann = await open_page(browser, application)
        await ann.add_init_script(COLLECT_BITMAPS)
        stored = await ann.evaluate("localStorage.getItem('canopy.color')")
        assert stored is None  # nothing was chosen
        await ann.locator("[data-color='#FFD9B0']").click()
        await ann.reload()
        await ann.locator("[data-testid=status][data-status=live]").wait_for()
        assert await ann.get_attribute("[data-color='#FFD9B0']", "aria-checked") == "true"
        assert await ann.evaluate("localStorage.getItem('canopy.color')") == "#FFD9B0"

        # A stroke during which the view changes has no line to the new place, and is undone as a whole.
        await ann.evaluate("() => { location.hash = '#32,24,32' }")
        await next_frame(ann)
        await ann.mouse.move(600, 300)
        await ann.mouse.down()
        await ann.mouse.move(601, 300)
        await ann.evaluate("() => { location.hash = '#10,10,32' }")
        await next_frame(ann)
        await ann.mouse.move(602, 300)
        await ann.mouse.up()
        await ann.wait_for_function("() => window.canopy.pending === 0 && window.canopy.seq === 2")
        await ann.keyboard.press("Control+z")
        await ann.wait_for_function("() => window.canopy.pending === 0 && window.canopy.seq === 4")
        await ann.keyboard.press("Control+Shift+z")
        await ann.wait_for_function("() => window.canopy.pending === 0 && window.canopy.seq === 6")

        # The link is copied with the view of this moment.
        await ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await ann.evaluate("() => { location.hash = '#32,24,20' }")
        await next_frame(ann)
        await ann.keyboard.press("d")
        await ann.keyboard.press("d")
        await ann.keyboard.press("l")
        await ann.get_by_text("Link to this view copied").wait_for()
        assert (await ann.evaluate("navigator.clipboard.readText()")).endswith("#38,24,20")

        # Bitmaps that were lost are drawn again, also when the browser does not tell.
        for x in range(30, 34):
            await paint(ann, x, 20, "#FF0000")
        await next_frame(ann)
        red = await ann.evaluate(RED)
        assert red > 1000
        await ann.evaluate(LOSE_BITMAPS)
        await next_frame(ann)
        assert await ann.evaluate(RED) == red
        await ann.evaluate("() => { for (const bitmap of window.bitmaps) bitmap.getContext('2d').reset() }")
        await ann.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
        await next_frame(ann)
        assert await ann.evaluate(RED) == red

        # Another monitor, and colours of the user's own.
        devtools = await ann.context.new_cdp_session(ann)
        for ratio in (2, 1.75, 1):
            metrics = {"width": 900, "height": 700, "deviceScaleFactor": ratio, "mobile": False}
            await devtools.send("Emulation.setDeviceMetricsOverride", metrics)
            sharp = "(side) => document.getElementById('board').width === side"
            await ann.mouse.move(400 + 10 * ratio, 300)
            await ann.wait_for_function(sharp, arg=900 * ratio)
        await ann.emulate_media(forced_colors="active")
        background = "all => new Set(all.map((each) => getComputedStyle(each).backgroundColor)).size"
        assert await ann.locator(".swatch").evaluate_all(background) == 32
        assert await ann.locator("[data-tool]").evaluate_all(background) == 2
        outline = "all => all.filter((each) => getComputedStyle(each).outlineStyle === 'solid').length"
        assert await ann.locator(".swatch").evaluate_all(outline) == 1
        await check_undisturbed(ann)


LAYOUT = """
    () => {
        const panels = [...document.querySelectorAll(".brand, .actions, .dock, .readout, .zoom")];
        const boxes = panels.map((panel) => [panel.className, panel.getBoundingClientRect()]);
        const faults = [];
        for (const [name, box] of boxes) {
            const { left, top, right, bottom } = box;
            if (left < 0 || top < 0 || right > innerWidth + 0.5 || bottom > innerHeight + 0.5) faults.push(name);
            for (const [other, { left, top, right, bottom }] of boxes) {
                if (other === name || box.right <= left || right <= box.left) continue;
                if (box.bottom > top && bottom > box.top) faults.push(`${name} on ${other}`);
            }
        }
        const isReachable = (control) => {
            control.scrollIntoView({ block: "nearest", inline: "nearest" });
            const { left, top, right, bottom, width, height } = control.getBoundingClientRect();
            if (Math.min(width, height) < 24) return false; // WCAG 2.2, 2.5.8
            const found = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
            return control.contains(found);
        };
        const controls = [...document.querySelectorAll("button, a, .custom")];
        for (const control of controls.filter((control) => control.checkVisibility() && !control.closest("dialog"))) {
            if (!isReachable(control)) faults.push(control.id || control.ariaLabel || control.className);
        }
        return faults;
    }
"""
"""Panels that lie on one another or outside, and controls that cannot be clicked or are too small to be aimed at."""

WIDE = [(1366, 768), (1024, 768), (820, 1180), (740, 360)]
NARROW = [(390, 844), (360, 640), (320, 568), (320, 256), (280, 653)]


@live
async def test_everything_can_be_reached_in_windows_and_palettes_of_all_sizes(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**chromium)  # one for all of them: most of the time goes into it
        mouse, finger = [await new_page(browser, has_touch=touch, is_mobile=touch) for touch in (False, True)]
        for count, pages in ((0, (mouse, finger)), (64, (finger,)), (128, (mouse,))):
            palette = tuple(0x10101 * number for number in range(count)) or None
            async with running(new_application(tmp_path / str(count), palette=palette)) as application:
                for page in pages:
                    await visit(page, application)
                    faults = {}
                    for width, height in WIDE + NARROW:
                        await page.set_viewport_size({"width": width, "height": height})
                        await next_frame(page)
                        faults[width, height] = await page.evaluate(LAYOUT)
                    assert faults == {window: [] for window in WIDE + NARROW}
                    assert page.failures == []  # type: ignore[attr-defined]
                    await page.goto("about:blank")
        await browser.close()


@live
async def test_first_gesture_on_a_large_canvas_moves_or_zooms_and_paints_nothing(
    tmp_path: Path, chromium: dict[str, Any]
) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    async with browser_and_canvas(tmp_path, chromium, width=1000, height=1000) as (browser, application):
        ann, bob = await open_page(browser, application, **phone), await open_page(browser, application)
        finger = await ann.context.new_cdp_session(ann)

        async def touch(kind: str, *points: tuple[int, int]) -> None:
            touches = [{"x": x, "y": y} for x, y in points]
            await finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

        await touch("touchStart", (200, 300))
        for y in range(310, 400, 10):
            await touch("touchMove", (200, y))
        await touch("touchEnd")
        await ann.wait_for_function("() => location.hash.length > 1")  # the view has moved
        await bob.mouse.move(600, 300)
        await bob.mouse.down()
        await bob.mouse.move(640, 300, steps=4)
        await bob.mouse.up()
        await bob.wait_for_function("() => location.hash.length > 1")
        closer = "() => parseInt(document.getElementById('zoom-level').textContent) === 1200"
        await ann.touchscreen.tap(195, 400)
        await bob.mouse.click(640, 300)
        for page in (ann, bob):
            await page.wait_for_function(closer)
            assert await page.evaluate("[window.canopy.seq, window.canopy.pending]") == [0, 0]
        await ann.touchscreen.tap(195, 400)
        await ann.wait_for_function("() => window.canopy.seq === 1 && window.canopy.pending === 0")
        await bob.mouse.click(640, 300)
        await bob.wait_for_function("() => window.canopy.seq === 2 && window.canopy.pending === 0")
        for page in (ann, bob):
            await check_undisturbed(page)


@live
async def test_browser_that_is_too_old_is_told(tmp_path: Path, chromium: dict[str, Any]) -> None:
    async with browser_and_canvas(tmp_path, chromium) as (browser, application):
        page = await browser.new_page()
        await page.add_init_script("delete window.DecompressionStream")
        await page.goto(f"http://127.0.0.1:{application.sockets.port}/")
        await page.get_by_text("Safari 16.4").wait_for()
