"""The pages that the canvas adds to the console."""

from pathlib import Path
from typing import Any

from actors import Ref, whereis
from actors.debug import suspend
from tests.support.console import Asker, console
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient


async def page(ann: Asker, id: str) -> dict[str, Any]:
    shown: dict[str, Any] = await ann.get(f"pages/{id}")
    return shown


@live
async def test_canvas_shows_itself_presence_and_groups(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        assert [each["id"] for each in (await ann.get("pages"))["pages"]] == ["canvas", "presence", "groups"]
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
        assert (await ann.get("store"))["values"]["kind"] == "memory"
        await ann.ask("GET", "pages/nothing", status=404)


@live
async def test_canvas_that_does_not_answer_does_not_hold_up_its_page(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        canvas = whereis("canvas")
        assert isinstance(canvas, Ref)
        suspend(canvas)
        assert (await page(ann, "canvas"))["values"]["state"] == "does not answer: timeout"
