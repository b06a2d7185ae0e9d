"""The pages that the canvas adds to the console."""

from pathlib import Path
from typing import Any

import orjson

from actors import Ref, call, cast, whereis
from actors.debug import resume, suspend
from canvas.board.grid import Change
from canvas.live.canvas import GetStatus, Paint
from protocol import Headers, Request, Response
from tests.support.console import Asker, console, outcomes
from tests.support.instance import simulation
from tests.support.scenarios import live, simulated
from tests.support.websocket_client import WebSocketClient


async def waited(answer: Any) -> Any:
    """An answer that takes its time."""
    return await answer


async def page(ann: Asker, id: str) -> dict[str, Any]:
    shown: dict[str, Any] = await ann.get(f"pages/{id}")
    return shown


@live
async def test_pages_are_people_bans_and_the_canvas(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        assert [each["id"] for each in (await ann.get("pages"))["pages"]] == ["people", "bans", "canvas", "store"]
        for id, empty in (
            ("people", "No user has connected since the start."),
            ("bans", "There are no bans."),
            ("canvas", "No pixel has been painted yet."),
        ):
            table = (await page(ann, id))["table"]
            assert (table["rows"], table["total"], table["empty"]) == ([], 0, empty)
        await ann.ask("GET", "pages/nothing", status=404)


@live
async def test_people_are_found_by_name_id_and_address_while_here_and_after(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        bob = await WebSocketClient.open(ann.application, "/ws?name=Bob")
        carl = await WebSocketClient.open(ann.application, "/ws?name=Carl")
        await WebSocketClient.open(ann.application)
        await carl.leave()
        shown = (await page(ann, "people"))["table"]
        assert [row[:4] for row in shown["rows"]] == [
            ["Bob", "user1", "127.0.0.1", "here"], ["", "user3", "127.0.0.1", "here"],
            ["Carl", "user2", "127.0.0.1", "has left"],
        ]  # fmt: skip
        assert [[act["values"] for act in acts] for acts in shown["acts"]][2] == [{"whom": "user2"}, {"user": "user2"}]
        for text, names in (("bo", ["Bob"]), ("USER2", ["Carl"]), ("127.0", ["Bob", "", "Carl"]), ("dora", [])):
            assert [row[0] for row in (await page(ann, f"people?q={text}"))["table"]["rows"]] == names
        await bob.leave()


@live
async def test_every_page_has_pages(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        for number in range(5):
            bob = await WebSocketClient.open(ann.application, f"/ws?name=Bob{number}")
            bob.paint(number, 0, "#FF0000")
            await bob.until(lambda bob=bob, number=number: len(bob.screen.own) == 1)
            await ann.ask("POST", f"bans?whom=192.0.2.{number}")
        for id in ("people", "bans", "canvas"):
            whole = (await page(ann, id))["table"]
            part = (await page(ann, f"{id}?offset=3&limit=2"))["table"]
            assert (len(whole["rows"]), part["total"], part["offset"]) == (5, 5, 3)
            assert part["rows"] == whole["rows"][3:]
            assert part["acts"] == whole["acts"][3:]


@live
async def test_canvas_tells_who_painted_lately_and_where(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        bob = await WebSocketClient.open(ann.application, "/ws?name=Bob")
        dora = await WebSocketClient.open(ann.application)
        bob.paint(4, 2, "#FF0000")
        for x in (10, 12, 11):
            dora.paint(x, x - 8, "#FF0000")
        await dora.until(lambda: dora.screen.seq == 4)
        shown = await page(ann, "canvas")
        values = shown["values"]
        assert (values["size"], values["users here"], values["changes"]) == ("32 x 16 pixels", 2, 4)
        assert [row[:4] for row in shown["table"]["rows"]] == [
            ["", "user2", 3, "x 10 to 12, y 2 to 4"], ["Bob", "user1", 1, "x 4, y 2"],
        ]  # fmt: skip
        assert [row[1] for row in (await page(ann, "canvas?q=bob"))["table"]["rows"]] == ["user1"]


@live
async def test_name_of_a_visitor_is_in_connections_and_in_the_tree_and_found_there(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        await WebSocketClient.open(ann.application, "/ws?name=Bob")
        await WebSocketClient.open(ann.application, "/ws?name=Carl")
        (row,) = (await ann.get("connections?q=bob"))["connections"]
        assert (row["user"], row["name"], row["label"]) == ("user1", "Bob", "user Bob (user1) #1")
        assert [act["form"] for act in row["acts"]] == ["ban", "rollback"]
        by_name = (await ann.get("connections?server=server&sort=name&order=desc"))["connections"]
        assert [row["name"] for row in by_name] == ["Carl", "Bob"]
        (actor,) = (await ann.get("actors?q=carl"))["actors"]
        assert actor["label"].startswith("user Carl (user2)")
        own = (await ann.get("connections?server=web"))["connections"]
        assert [row["acts"] for row in own] == [[]] * len(own)


@live
async def test_nobody_bans_themselves_without_saying_so(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        eve = await WebSocketClient.open(ann.application, "/ws?name=Eve")
        for query in ("whom=127.0.0.1", "whom=127.0.0.0/8", "whom=Eve&with_address=1", "whom=::ffff:127.0.0.1"):
            refused = await ann.ask("POST", f"bans?{query}", status=409)
            assert refused["error"].startswith("this would ban your own address 127.0.0.1")
            told = (await ann.ask("POST", f"bans?{query}&apply=0"))["told"]
            assert told["confirm"] == {"own": "Yes, ban your own address 127.0.0.1"}
        assert await ann.get("bans") == []
        assert eve.closed is None
        response = eve.connection.response
        assert response is not None
        cookie = response.headers["Set-Cookie"].partition(";")[0]
        answer = await ann.send("POST", "/api/v1/bans?whom=user1", Cookie=cookie)
        assert (answer.status, b"your own user user1" in answer.body) == (409, True)
        await ann.ask("POST", "bans?whom=user1&own=1&with_address=1")
        assert (await eve.end())[0] == 4403


@live
async def test_canvas_that_does_not_answer_does_not_hold_up_its_page(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        canvas = whereis("canvas")
        assert isinstance(canvas, Ref)
        suspend(canvas)
        assert (await page(ann, "canvas"))["values"]["state"] == "does not answer: timeout"


@live
async def test_store_tells_how_far_it_is_how_long_commits_take_and_what_waits(tmp_path: Path) -> None:
    async with console(tmp_path, store="sqlite") as ann:
        values = (await page(ann, "store"))["values"]
        assert (values["kind"], values["seq"], values["commits"], values["last commit"]["amount"]) == (
            "sqlite",
            0,
            0,
            None,
        )
        bob = await WebSocketClient.open(ann.application)
        bob.paint(1, 1, "#FF0000")
        await bob.until(lambda: bob.screen.seq == 1)
        values = (await page(ann, "store"))["values"]
        assert (values["seq"], values["commits"], values["pixels waiting"]["amount"]) == (1, 1, 0)
        assert values["last commit"]["amount"] > 0
        assert values["last commit"]["unit"] == "seconds"
        assert values["size on disk"]["amount"] > 0
        assert values["size on disk"]["unit"] == "bytes"
        assert values["last error"] is None


@live
async def test_store_that_does_not_answer_does_not_hold_up_its_page_and_shows_what_waits(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        store = whereis("store")
        assert isinstance(store, Ref)
        suspend(store)
        for x in range(3):
            cast("canvas", Paint([Change(x, 0, 1, "ann")]))
            await call("canvas", GetStatus())
        values = (await page(ann, "store"))["values"]
        assert values["state"] == "does not answer: timeout"
        assert values["pixels waiting"]["amount"] in (2, 3)
        resume(store)


@live
async def test_bans_are_shown_and_lifted_over_the_api(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        eve = await WebSocketClient.open(ann.application)
        await ann.ask("POST", "bans?whom=user1&reason=%3Cb%3Erude&seconds=60&with_address=1&own=1")
        assert (await eve.end())[0] == 4403
        await ann.ask("POST", "bans?whom=192.0.2.0/24")
        table = (await page(ann, "bans"))["table"]
        assert [(row[1], row[2], row[4] == "for good") for row in table["rows"]] == [
            ("192.0.2.0/24", "", True), ("user1 127.0.0.1", "<b>rude", False),
        ]  # fmt: skip
        assert [ban["whom"] for ban in await ann.reader().get("bans")] == ["user1", "192.0.2.0/24"]
        await ann.reader().ask("DELETE", "bans?whom=192.0.2.0/24", status=403)
        await ann.ask("DELETE", "bans?whom=192.0.2.0/24")
        assert len((await page(ann, "bans"))["table"]["rows"]) == 1


@live
async def test_bans_and_rollbacks_are_in_the_audit_log(tmp_path: Path) -> None:
    async with console(tmp_path, store="sqlite") as ann:
        await ann.ask("POST", "bans?whom=192.0.2.1/24&reason=a%0Ab&seconds=60")
        await ann.ask("DELETE", "bans?whom=192.0.2.9/24")
        await ann.ask("POST", "bans?whom=eve", status=404)
        bob = await WebSocketClient.open(ann.application)
        bob.paint(1, 1, "#FF0000")
        await bob.until(lambda: bob.screen.seq == 1)
        await ann.ask("POST", "rollback?user=user1")
        undone = await ann.ask("POST", "rollback?user=user1&apply=1")
        assert (undone["changes"], undone["pixels"], undone["restored"]) == (1, 1, 1)
        lines = await outcomes(ann.application)
        assert [(line["action"], line["target"], line["result"].partition(":")[0]) for line in lines] == [
            ("ban", "192.0.2.0/24 for 60 s: a\nb", "done"), ("unban", "192.0.2.0/24", "done"),
            ("POST /api/v1/bans", "", "refused"), ("rollback", "1 pixel: user user1", "done"),
        ]  # fmt: skip
        assert {line["who"] for line in lines} == {"console-token (administer) from 127.0.0.1"}


@live
async def test_ban_that_cannot_be_written_down_does_not_hold(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        (tmp_path / "audit.log").mkdir()
        refused = await ann.ask("POST", "bans?whom=192.0.2.1", status=503)
        assert "the audit log cannot be written" in refused["error"]
        assert await ann.get("bans") == []


@simulated
async def test_console_without_a_port_knows_how_long_the_canvas_is_up(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        face = canvas.application.console
        now = face.sources.clock() + 90.0
        face.sources.clock = lambda: now
        answer = await waited(face.admin_routes(Request("GET", "/api/v1/overview", (1, 1), Headers())))
        assert isinstance(answer, Response)
        assert orjson.loads(answer.body)["uptime"] > 90
