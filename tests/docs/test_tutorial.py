"""The chat of the tutorial runs, and does what the page says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import websockets

from actors import call, cast, whereis
from actors.testing import replaced
from supervision import Application
from supervision.server import Sockets
from tests.docs.pages import module
from tests.support.scenarios import live


@asynccontextmanager
async def chat() -> AsyncIterator[tuple[str, Application, Sockets]]:
    """Run the application of the page on a free port; yield its address and its parts."""
    application, sockets = module("docs/tutorial.md", "tutorial").chat_application(0)
    await application.start()
    try:
        yield f"ws://127.0.0.1:{sockets.port}/chat", application, sockets
    finally:
        await application.stop()


@live
async def test_what_one_says_everybody_hears() -> None:
    async with chat() as (address, *_), websockets.connect(address) as one, websockets.connect(address) as two:
        await one.send("hello")
        heard = await one.recv()
        assert str(heard).endswith(": hello")
        assert await two.recv() == heard


@live
async def test_the_chat_remembers_what_was_said() -> None:
    tutorial = module("docs/tutorial.md", "tutorial")

    async with chat() as (address, *_), websockets.connect(address) as one:
        await one.send("hello")
        heard = await one.recv()
        assert await call("chat", tutorial.Recent()) == [heard]


@live
async def test_a_crash_keeps_the_connection() -> None:
    async with chat() as (address, *_), websockets.connect(address) as one, websockets.connect(address) as two:
        await one.send("/crash")
        await one.send("still here")
        assert str(await one.recv()).endswith(": still here")
        assert str(await two.recv()).endswith(": still here")


@live
async def test_six_crashes_are_closed_with_1011_and_the_neighbour_notices_nothing() -> None:
    async with chat() as (address, *_), websockets.connect(address) as one, websockets.connect(address) as two:
        for _ in range(6):
            await one.send("/crash")
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await one.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1011
        await two.send("what happened?")
        assert str(await two.recv()).endswith(": what happened?")


@live
async def test_the_chat_itself_may_crash() -> None:
    async with chat() as (address, *_), websockets.connect(address) as one:
        await one.send("before")
        await one.recv()
        first = whereis("chat")
        assert first is not None
        cast(first, "nonsense")
        await replaced(lambda: whereis("chat"), first)
        await one.send("after")
        assert str(await one.recv()).endswith(": after")


@live
async def test_any_other_path_is_refused_and_the_stop_says_goodbye() -> None:
    async with chat() as (address, application, _):
        with pytest.raises(websockets.InvalidStatus) as caught:
            await websockets.connect(address.replace("/chat", "/other"))
        assert caught.value.response.status_code == 404
        one = await websockets.connect(address)
        stopping = asyncio.ensure_future(application.stop())
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await one.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        await stopping
