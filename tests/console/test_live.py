"""The WebSocket of those who look: what happens comes to them, and only as much as they may see."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from actors import Ref, call, whereis
from actors.debug import info, processes
from canvas.live.canvas import GetStatus
from supervision.console.api.principals import Access
from tests.support.console import Asker, audit, console, logged_in
from tests.support.instance import mended
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient


def watch(asker: Asker) -> Any:
    url = f"ws://127.0.0.1:{asker.port}/api/v1/live"
    return connect(url, additional_headers={"Authorization": f"Bearer {asker.token}"}, proxy=None)


async def message(viewer: ClientConnection, wanted: str = "live") -> dict[str, Any]:
    """The next message of this type."""
    while True:
        told: dict[str, Any] = orjson.loads(await viewer.recv())
        if told["type"] == wanted:
            return told


@live
async def test_overview_comes_at_once_and_then_what_has_changed(tmp_path: Path) -> None:
    async with console(tmp_path) as ann, watch(ann) as viewer:
        first = await message(viewer)
        assert first["overview"]["actors"] > 10
        assert (first["started"], first["ended"], first["is_cut"]) == ([], [], False)
        await WebSocketClient.open(ann.application)
        images = whereis("images")
        assert isinstance(images, Ref)
        (on_demand,) = (process.ref for process in processes() if process.label == "on_demand")
        await ann.ask("POST", f"actors/{images.id}/exit", {"reason": "crash"})
        await mended(ann.application)
        started: dict[str, Any] = {}
        ended: list[str] = []
        while "images" not in started:
            told = await message(viewer)
            started |= {actor["label"]: actor for actor in told["started"]}
            ended += told["ended"]
        assert "user user1 #1" in started
        assert started["images"]["restarts"] == 1
        assert started["images"]["parent"] == str(on_demand.id)
        assert told["restarted"] == [started["images"]["ref"]]
        assert str(images.id) in ended
        assert told["overview"]["restarts"] == 1


@live
async def test_trace_is_told_to_those_who_may_trace_and_to_no_other(tmp_path: Path) -> None:
    async with console(tmp_path) as ann, watch(ann) as viewer, watch(ann.reader()) as reader:
        canvas = whereis("canvas")
        assert isinstance(canvas, Ref)
        await message(reader)
        await ann.ask("POST", f"actors/{canvas.id}/trace", {"lines": 2})
        await call(canvas, GetStatus())
        told = [await message(viewer, "trace") for _ in range(3)]
        assert [line["line"] and line["line"]["kind"] for line in told] == ["call", "reply", None]
        assert told[-1]["ended"] == "the line limit was reached"
        assert orjson.loads(await reader.recv())["type"] == "live"


@live
async def test_trace_of_somebody_else_is_told_to_who_reads_it_and_that_is_noted_once(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        bob, canvas = ann.holder("bob", Access.ADMINISTER), whereis("canvas")
        assert isinstance(canvas, Ref)
        async with watch(bob) as viewer:
            await message(viewer)
            await ann.ask("POST", f"actors/{canvas.id}/trace", {"lines": 3})
            await call(canvas, GetStatus())
            noted = len(await audit(ann.application))
            for asker in (bob, ann, bob):
                assert len((await asker.get(f"actors/{canvas.id}/trace"))["lines"]) == 2
            await call(canvas, GetStatus())
            told = [await message(viewer, "trace") for _ in range(2)]
            assert [line["line"] and line["line"]["kind"] for line in told] == ["call", None]
            lines = [(line["who"], line["action"], line["result"]) for line in await audit(ann.application)]
            assert lines[noted:] == [("bob (administer) from 127.0.0.1", "read trace", "done")]


@live
async def test_viewer_sees_nothing_more_after_the_logout(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        bob, origin = ann.anonymous(), f"http://127.0.0.1:{ann.port}"
        headers = {"Cookie": await logged_in(ann), "Origin": origin}
        host = f"127.0.0.1:{ann.port}"
        async with connect(f"ws://{host}/api/v1/live", additional_headers=headers, proxy=None) as viewer:
            await message(viewer)
            await message(viewer)
            assert (await bob.send("POST", "/logout", Host=host, **headers)).status == 303
            with pytest.raises(ConnectionClosedError, match="1008"):
                await message(viewer, "nothing that ever comes")


@live
async def test_viewer_who_says_anything_is_closed(tmp_path: Path) -> None:
    async with console(tmp_path) as ann, watch(ann.reader()) as viewer:
        await viewer.send("so much that others have to wait")
        with pytest.raises(ConnectionClosedError, match="1008"):
            await message(viewer, "nothing that ever comes")


@live
async def test_viewer_whose_actor_crashes_goes_on_seeing(tmp_path: Path) -> None:
    async with console(tmp_path) as ann, watch(ann) as viewer:
        await message(viewer)
        (row,) = (await ann.get("connections?server=web&q=viewer"))["connections"]
        await ann.ask("POST", f"actors/{row['actor']}/exit", {"reason": "crash"})
        told = await message(viewer)
        while not told["restarted"]:
            told = await message(viewer)
        assert row["actor"] in told["ended"]


@live
async def test_sampler_that_crashes_keeps_its_viewers(tmp_path: Path) -> None:
    async with console(tmp_path) as ann, watch(ann) as viewer:
        await message(viewer)
        await message(viewer)
        page = await ann.get("actors?kind=Sampler")
        await ann.ask("POST", f"actors/{page['actors'][0]['ref']}/exit", {"reason": "crash"})
        told = await message(viewer)
        while not told["restarted"]:
            told = await message(viewer)
        assert page["actors"][0]["ref"] in told["ended"]


@live
async def test_visitor_without_a_token_sees_nothing(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"ws://127.0.0.1:{ann.port}/api/v1/live", proxy=None)
        assert caught.value.response.status_code == 401
        assert info(ann.application.top()) is not None
