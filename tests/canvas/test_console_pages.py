"""The pages that the canvas adds to the console."""

from pathlib import Path
from typing import Any

import orjson

from actors import Ref, call, cast, whereis
from actors.debug import resume, suspend
from canvas.canvas import GetStatus, Paint
from canvas.grid import Change
from protocol import Headers, Request, Response
from tests.support.console import Asker, console
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
async def test_canvas_shows_itself_presence_and_groups(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        assert [each["id"] for each in (await ann.get("pages"))["pages"]] == [
            "canvas", "presence", "groups", "bans",
        ]  # fmt: skip
        bob = await WebSocketClient.open(ann.application)
        values = (await page(ann, "canvas"))["values"]
        assert (values["width"], values["height"], values["present"], values["seq"]) == (32, 16, 1, 0)
        (users,) = (await page(ann, "presence"))["tables"]
        assert users["columns"] == ["user", "address", "actor", "label"]
        assert [row[0] for row in users["rows"]] == ["user1"]
        tables, keys = (await page(ann, "groups"))["tables"]
        assert ["viewers", "duplicate", 1] in tables["rows"]
        assert ["viewers", "canvas", 1] in keys["rows"]
        await bob.leave()
        await ann.ask("GET", "pages/nothing", status=404)


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
        values = (await ann.get("store"))["values"]
        assert (values["kind"], values["seq"], values["commits"], values["last commit (ms)"]) == ("sqlite", 0, 0, None)
        bob = await WebSocketClient.open(ann.application)
        bob.paint(1, 1, "#FF0000")
        await bob.until(lambda: bob.screen.seq == 1)
        values = (await ann.get("store"))["values"]
        assert (values["seq"], values["commits"], values["pixels waiting"]) == (1, 1, 0)
        assert values["last commit (ms)"] > 0
        assert values["bytes on disk"] > 0
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
        values = (await ann.get("store"))["values"]
        assert values["state"] == "does not answer: timeout"
        assert values["pixels waiting"] in (2, 3)
        resume(store)


@live
async def test_bans_are_shown_and_lifted_over_the_api(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        eve = await WebSocketClient.open(ann.application)
        await ann.ask("POST", "bans?whom=user1&reason=%3Cb%3Erude&seconds=60&with_address=1")
        assert (await eve.end())[0] == 4403
        await ann.ask("POST", "bans?whom=192.0.2.0/24")
        (table,) = (await page(ann, "bans"))["tables"]
        assert [(row[0], row[1], row[3] == "for good") for row in table["rows"]] == [
            ("192.0.2.0/24", "", True), ("user1 127.0.0.1", "<b>rude", False),
        ]  # fmt: skip
        assert [ban["whom"] for ban in await ann.reader().get("bans")] == ["user1", "192.0.2.0/24"]
        await ann.reader().ask("DELETE", "bans?whom=192.0.2.0/24", status=403)
        await ann.ask("DELETE", "bans?whom=192.0.2.0/24")
        assert len((await page(ann, "bans"))["tables"][0]["rows"]) == 1


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
        assert undone == {"changes": 1, "pixels": 1, "restored": 1}
        lines = [orjson.loads(line) for line in (tmp_path / "audit.log").read_bytes().splitlines()]
        assert [(line["action"], line["target"]) for line in lines] == [
            ("ban", "192.0.2.0/24 for 60 s: a\nb"), ("unban", "192.0.2.0/24"), ("rollback", "1 pixels: user user1"),
        ]  # fmt: skip
        assert {line["who"] for line in lines} == {"administer token from 127.0.0.1"}


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
