"""The past of a running canvas: who placed a pixel, and undoing what somebody painted, for everybody to see."""

import asyncio
import base64
import functools
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image

from actors import Ref, call, cast, whereis
from actors.debug import info, resume, suspend
from actors.testing import quiet, settle
from canvas.board.grid import Change
from canvas.live.canvas import GetStatus, Paint, Restore
from canvas.store import GetHealth, Health, MemoryStore, StoreError
from protocol import Headers, Request
from supervision.console import Access
from supervision.console.api.principals import Principal
from supervision.console.terminal.client import AdminError, ask_admin
from tests.support.instance import mended, new_application, running, simulation
from tests.support.raw_socket import get
from tests.support.scenarios import live, simulated
from tests.support.virtual_network import VirtualClient
from tests.support.websocket_client import WebSocketClient

RED, GREEN, BLUE, WHITE = "#FF0000", "#00FF00", "#0000FF", "#FFFFFF"

STORES = pytest.mark.parametrize("store", ["memory", "sqlite"])


async def rollback(data: Path, query: str) -> Any:
    """Ask from a thread, as the command line asks from another process."""
    ask = functools.partial(ask_admin, data, "POST", f"/api/v1/rollback?{query}")
    return await asyncio.get_running_loop().run_in_executor(None, ask)


def counts(undone: Any) -> tuple[int, int, int]:
    return undone["changes"], undone["pixels"], undone["restored"]


async def paint(client: WebSocketClient, *pixels: tuple[int, int, str]) -> None:
    done = len(client.screen.own) + len(pixels)
    for pixel in pixels:
        client.paint(*pixel)
    await client.until(lambda: len(client.screen.own) == done)


@STORES
def test_everybody_sees_a_rollback_and_it_can_be_rolled_back(tmp_path: Path, store: str) -> None:
    @live
    async def scenario() -> None:
        async with running(new_application(tmp_path, store=store)) as application:
            ann, bob = await WebSocketClient.open(application), await WebSocketClient.open(application)
            await paint(ann, (1, 1, RED), (2, 2, RED), (3, 3, RED))
            await paint(bob, (2, 2, GREEN), (5, 5, GREEN))
            await paint(ann, (5, 5, BLUE))
            preview = await rollback(tmp_path, "user=user1")
            assert counts(preview) == (4, 3, 0)
            assert bob.screen.pixels == {(1, 1): RED, (2, 2): GREEN, (3, 3): RED, (5, 5): BLUE}

            assert counts(await rollback(tmp_path, "user=user1&apply=1")) == (4, 3, 3)
            for client in (ann, bob):
                await client.until(lambda screen=client.screen: screen.seq == 9)
                assert client.screen.pixels == {(2, 2): GREEN, (5, 5): GREEN}
            pixel = json.loads((await get(application.sockets.port, "/api/pixel?x=5&y=5")).body)
            assert [change["user_id"] for change in pixel["changes"]] == ["rollback", "user1", "user2"]

            assert (await rollback(tmp_path, "user=rollback&apply=1"))["restored"] == 3
            await bob.until(lambda: bob.screen.seq == 12)
            assert bob.screen.pixels == {(1, 1): RED, (2, 2): GREEN, (3, 3): RED, (5, 5): BLUE}

    scenario()


@STORES
def test_rollback_is_bounded_by_area_and_time(tmp_path: Path, store: str) -> None:
    @live
    async def scenario() -> None:
        async with running(new_application(tmp_path, store=store)) as application:
            ann = await WebSocketClient.open(application)
            await paint(ann, (1, 1, RED), (9, 9, RED))
            assert (await rollback(tmp_path, "area=0,0,5,5"))["pixels"] == 1
            assert (await rollback(tmp_path, "area=0,0,5,5&to=1000"))["pixels"] == 0
            assert (await rollback(tmp_path, "from=1000"))["pixels"] == 2
            assert (await rollback(tmp_path, "from=99999999999"))["pixels"] == 0

    scenario()


@live
async def test_rollback_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)):
        for query, words in (
            ("user=nobody", "no user of that id or name has painted or come lately"),
            ("user=192.0.2.1", "192.0.2.1 is an address"),
            ("area=1,2,3", "area is X,Y,WIDTH,HEIGHT"),
            ("area=a,b,c,d", "area is X,Y,WIDTH,HEIGHT"),
            ("area=0,0,0,5", "area is X,Y,WIDTH,HEIGHT"),
            ("from=yesterday", "from and to are seconds"),
            ("from=nan", "from and to are seconds"),
            ("to=inf&user=user1", "from and to are seconds"),
            ("", "a rollback needs user, area, from or to: without any it would be everything"),
            ("apply=1", "a rollback needs user, area, from or to: without any it would be everything"),
        ):
            with pytest.raises(AdminError, match=words):
                await rollback(tmp_path, query)
        with pytest.raises(AdminError, match="only POST is allowed here"):
            await asyncio.get_running_loop().run_in_executor(None, ask_admin, tmp_path, "GET", "/api/v1/rollback")


@STORES
def test_preview_tells_whose_pixels_change_and_draws_the_place(tmp_path: Path, store: str) -> None:
    @live
    async def scenario() -> None:
        async with running(new_application(tmp_path, store=store)) as application:
            ann = await WebSocketClient.open(application, "/ws?name=Ann")
            eve = await WebSocketClient.open(application, "/ws?name=Eve")
            await paint(ann, (20, 5, RED), (21, 5, RED))
            await paint(eve, (20, 5, GREEN), (24, 6, GREEN), (24, 6, BLUE))
            of_eve = await rollback(tmp_path, "user=eve")
            assert of_eve["painters"] == [{"user_id": "user2", "name": "Eve", "changes": 3, "pixels": 2}]
            told = of_eve["told"]
            assert told["text"] == "2 pixels of Eve (user2) will look as they did before."
            assert told["values"] == {"changes": 3, "pixels": 2, "where": "x 20 to 24, y 5 to 6"}
            assert told["table"] is None
            now, after = map(drawn, told["pictures"])
            assert now.size == after.size == (20, 15)  # x 12 to 31, y 0 to 14: with a margin as far as there is one
            assert [now.getpixel(place) for place in ((8, 5), (9, 5), (12, 6))] == [
                (0, 255, 0),
                (255, 0, 0),
                (0, 0, 255),
            ]
            assert [after.getpixel(place) for place in ((8, 5), (9, 5), (12, 6))] == [
                (255, 0, 0), (255, 0, 0), (255, 255, 255),
            ]  # fmt: skip
            of_all = await rollback(tmp_path, "area=0,0,32,16")
            assert [(each["name"], each["changes"], each["pixels"]) for each in of_all["painters"]] == [
                ("Eve", 3, 2), ("Ann", 2, 1),
            ]  # fmt: skip
            assert of_all["told"]["table"]["rows"] == [["Eve", "user2", 3, 2], ["Ann", "user1", 2, 1]]
            assert (await rollback(tmp_path, "area=0,0,2,2"))["told"]["is_possible"] is False

    scenario()


def drawn(told: Any) -> Image.Image:
    head, _, content = told["source"].partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")


@STORES
def test_rollback_is_undone_by_what_it_offers(tmp_path: Path, store: str) -> None:
    @live
    async def scenario() -> None:
        async with running(new_application(tmp_path, store=store)) as application:
            eve = await WebSocketClient.open(application, "/ws?name=Eve")
            await paint(eve, (1, 1, RED), (2, 2, GREEN), (9, 9, BLUE))
            painted = dict(eve.screen.pixels)
            for number, query in enumerate(("user=Eve&area=0,0,5,5", "user=Eve&area=5,5,9,9")):
                undo = (await rollback(tmp_path, f"{query}&apply=1"))["told"]["acts"][0]
                await eve.until(lambda: eve.screen.pixels != painted)
                assert undo["form"] == "rollback"
                again = await rollback(tmp_path, urlencode({**undo["values"], "apply": "1"}))
                assert again["restored"] == 2 - number
                await eve.until(lambda: eve.screen.pixels == painted)

    scenario()


@STORES
def test_pixel_tells_who_painted_it_and_when(tmp_path: Path, store: str) -> None:
    @live
    async def scenario() -> None:
        application = new_application(tmp_path, store=store)
        async with running(application):
            port = application.sockets.port
            ann, bob = await WebSocketClient.open(application), await WebSocketClient.open(application)
            await paint(ann, (1, 2, RED))
            await paint(bob, (1, 2, GREEN), (3, 3, GREEN))
            answer = await get(port, "/api/pixel?x=1&y=2")
            assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
            pixel = json.loads(answer.body)
            times = [change.pop("at") for change in pixel["changes"]]
            assert pixel == {
                "x": 1,
                "y": 2,
                "changes": [
                    {"seq": 2, "color": GREEN, "user_id": "user2"},
                    {"seq": 1, "color": RED, "user_id": "user1"},
                ],
            }
            assert times[0] >= times[1] > 1_700_000_000
            assert len(json.loads((await get(port, "/api/pixel?x=1&y=2&limit=1")).body)["changes"]) == 1
            assert json.loads((await get(port, "/api/pixel?x=0&y=0")).body)["changes"] == []

    scenario()


@live
async def test_what_is_no_pixel_is_refused_with_the_field(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        for query, field in (("", "x"), ("x=1", "y"), ("x=32&y=0", "x"), ("x=0&y=-1", "y"), ("x=a&y=1", "x"),
                             ("x=%D9%A1&y=0", "x"), ("x=1&y=1&limit=1000", "limit")):  # fmt: skip
            answer = await get(application.sockets.port, f"/api/pixel?{query}")
            assert answer.status == 400
            assert answer.body.decode().startswith(f"{field} must be an integer from {int(field == 'limit')} to ")


@live
async def test_health_tells_the_store_and_its_durability(tmp_path: Path) -> None:
    for number, (options, expected) in enumerate((
        ({"store": "memory"}, {"status": "ok", "store": "memory", "durability": "none"}),
        ({"store": "sqlite"}, {"status": "ok", "store": "sqlite", "durability": "full"}),
        ({"store": "sqlite", "durability": "none"}, {"status": "ok", "store": "sqlite", "durability": "none"}),
    )):  # fmt: skip
        async with running(new_application(tmp_path / str(number), **options)) as application:
            assert json.loads((await get(application.sockets.port, "/healthz")).body) == expected


# The store as the console sees it.


class LockedStore(MemoryStore):
    """A memory store that may be full."""

    def __init__(self) -> None:
        super().__init__("an epoch", 32, 16, 0xFFFFFF)
        self.is_full = False

    def append(self, changes: Any, at: float) -> None:
        if self.is_full:
            raise StoreError("no space left on device")
        super().append(changes, at)


@simulated
async def test_health_of_the_store_counts_commits_and_keeps_the_last_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LockedStore()
    monkeypatch.setattr("canvas.application.open_store", lambda config: store)
    async with simulation(tmp_path):
        for number in range(3):
            store.is_full = number == 1
            cast("canvas", Paint([Change(number, 0, 1, "ann")]))
            await settle(1.0)
            health: Health = await call("store", GetHealth())
            commits = (1, 1, 2)[number]
            assert (health.seq, health.commits, health.kind, health.durability) == (commits, commits, "memory", "none")
            assert health.error == (None, "no space left on device", None)[number]
        assert (await call("canvas", GetStatus())).waiting == 0


@simulated
async def test_painting_is_refused_when_too_much_waits_for_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canvas.live.canvas.MAX_WAITING", 10)
    async with simulation(tmp_path, tick=1.0) as canvas:
        ann = await canvas.join()
        ann.paint(0, 0, RED)
        await ann.until(lambda: ann.screen.seq == 1)
        for row in (1, 2):
            for number in range(6):
                ann.paint(number, row, RED)
            await quiet()
        error = await ann.error()
        assert (error["code"], error["message"]) == (
            "store_unavailable", "the pixel could not be kept: 6 pixels wait for the store",
        )  # fmt: skip
        await ann.until(lambda: ann.screen.seq == 7)
        ann.paint(0, 3, GREEN)
        await ann.until(lambda: ann.screen.seq == 8)


@simulated
async def test_one_address_may_have_half_of_what_waits_for_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canvas.live.canvas.MAX_WAITING", 10)
    monkeypatch.setattr("canvas.live.canvas.SHARE", 5)

    def refused(client: VirtualClient) -> int:
        return [error["code"] for error in client.screen.errors].count("store_unavailable")

    async with simulation(tmp_path, tick=1.0) as canvas:
        clients = [VirtualClient(address) for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3")]
        for client in clients:
            client.begin(canvas.door)
            await client.until(lambda client=client: client.screen.states == 1)
        clients[0].paint(0, 0, RED)
        await clients[0].until(lambda: clients[0].screen.seq == 1)
        for row, (client, count) in enumerate(zip(clients, (3, 3, 4, 2), strict=True), start=1):
            for number in range(count):
                client.paint(number, row, RED, id_=number)
                await quiet()
        assert canvas.application.room.held.pixels.used == 10
        assert [refused(client) for client in clients] == [0, 1, 0, 1]
        await settle(2.0)
        assert canvas.application.room.held.pixels.used == 0
        clients[1].paint(5, 5, RED, id_=9)
        await clients[1].acknowledged(9)


@pytest.mark.parametrize("has_been_sent", [False, True])
@simulated
async def test_rollback_leaves_a_newer_pixel_that_waits_to_be_committed(tmp_path: Path, has_been_sent: bool) -> None:
    """The newer pixel waits for the next batch, or is with a store that has not answered yet."""
    async with simulation(tmp_path, tick=1.0) as canvas:
        ann = await canvas.join()
        cast("canvas", Paint([Change(x, 1, 0xFF0000, "mallory") for x in range(3)]))
        await ann.until(lambda: ann.screen.seq == 3)
        suspend("store")
        newer = [Change(1, 1, 0x00FF00, "bob"), Change(2, 1, 0x00FF00, "bob"), Change(2, 1, 0xFF0000, "bob")]
        cast("canvas", Paint([*newer, Change(0, 1, 0xFF0000, "bob")]))  # the last one is no change
        await settle(2.0 if has_been_sent else 0.1)
        assert (await call("canvas", GetStatus())).waiting == (0 if has_been_sent else 4)
        undoing = Restore([Change(x, 1, 0xFFFFFF, "rollback") for x in range(3)], [0xFF0000] * 3)
        answer = asyncio.ensure_future(call("canvas", undoing))
        await settle(0.1)
        resume("store")
        assert await answer == 1
        await ann.until(lambda: ann.screen.seq == 7)
        assert ann.screen.pixels == {(1, 1): GREEN, (2, 1): RED}


@simulated
async def test_crash_of_the_history_is_mended(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        historian = whereis("history")
        cast("history", "a request from nowhere")
        await quiet()
        await mended(canvas.application)
        assert whereis("history") not in (None, historian)
        ann.paint(1, 1, RED)
        await ann.until(lambda: ann.screen.pixels == {(1, 1): RED})


@simulated
async def test_moderator_keeps_the_history_from_others_for_one_question_at_a_time(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        router, history = canvas.application.console._router, whereis("history")
        assert isinstance(history, Ref)

        def ask(holder: str) -> asyncio.Task[Any]:
            request = Request("POST", "/api/v1/rollback?from=0", (1, 1), Headers())
            route, path = router.find(request)
            return asyncio.create_task(router.ask(route, path, request, Principal(Access.MODERATE, holder, holder)))

        suspend(history)
        asked = [ask(holder) for holder in ("ann", "ann", "ann", "bob")]
        await quiet()
        about = info(history)
        assert about is not None
        assert about.mailbox == 2, "one of ann, and one of bob"
        resume(history)
        assert [answer.changes for answer in await asyncio.gather(*asked)] == [0] * 4
