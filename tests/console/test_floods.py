"""Floods of those without a credential hold up nobody who has one. On real sockets, but for what takes time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import connect

from actors.testing import settle
from supervision.console.api.principals import DELAY, FREE_FAILURES, Access
from supervision.console.console import MAX_UNRECOGNIZED
from tests.support.console import Asker, console, logged_in, plain_token
from tests.support.instance import new_application, running
from tests.support.raw_socket import Answer, RawSocket, request
from tests.support.scenarios import live, simulated
from tests.support.virtual_network import VirtualBrowser, VirtualNetwork, VirtualSocket

SCRAPES = 100
GUESSES = 20
"""Clients that come with a wrong token for each scrape."""
HALF_OPEN = 500
WRONG = "x" * 43


@contextlib.asynccontextmanager
async def crowd(many: int, act: Callable[[int], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Have `many` clients do something again and again."""

    async def keep_on(number: int) -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # the server has dropped it
                await act(number)

    clients = [asyncio.ensure_future(keep_on(number)) for number in range(many)]
    try:
        yield
    finally:
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


def scrape(asker: Asker) -> bytes:
    """The request of a Prometheus server."""
    accepted = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    headers = {
        "Host": f"127.0.0.1:{asker.port}",
        "User_Agent": "Prometheus/2.53.0",
        "Accept": accepted,
        "Accept_Encoding": "gzip",
        "Authorization": f"Bearer {asker.token}",
        "X_Prometheus_Scrape_Timeout_Seconds": "10",
    }
    return request("GET", "/metrics", **headers)


@live
async def test_prometheus_misses_no_scrape_during_a_flood_of_wrong_logins(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        prometheus, guessing = ann.holder("prometheus", Access.LOOK), set[asyncio.Task[None]]()
        form = urlencode({"token": WRONG}).encode()
        guesses = [
            request("GET", "/metrics", Authorization=f"Bearer {WRONG}"),
            request("POST", "/login", Content_Length=str(len(form))) + form,
            request("GET", "/api/v1/overview", Authorization=f"Bearer {WRONG}") * 5,
        ]

        async def guess(number: int) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # the server has dropped it
                async with await RawSocket.open(ann.port) as mallory:
                    mallory.send(guesses[number % len(guesses)])
                    if number % 4:  # the others do not wait for an answer
                        assert (await mallory.answer()).status in (401, 429)

        async def scraped(raw: RawSocket) -> Answer:
            raw.send(scrape(prometheus))
            return await raw.answer()

        async with await RawSocket.open(ann.port) as kept:
            for number in range(SCRAPES):
                guessing |= {asyncio.ensure_future(guess(each)) for each in range(GUESSES)}
                if number % 2 == 0:
                    answer = await scraped(kept)
                else:
                    async with await RawSocket.open(ann.port) as fresh:
                        answer = await scraped(fresh)
                assert (number, answer.status) == (number, 200)
                assert b"\ncanopy_uptime_seconds " in answer.body
        web = ann.application.console.web
        assert web is not None
        assert web.cut_off["crowded"] > SCRAPES
        for task in guessing:
            task.cancel()
        assert not [
            end for end in await asyncio.gather(*guessing, return_exceptions=True) if isinstance(end, Exception)
        ]


@live
async def test_administrator_gets_in_while_hundreds_of_half_open_connections_stand(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        everybody_came = asyncio.Event()
        came: set[int] = set()

        async def stand(number: int) -> None:
            async with await RawSocket.open(ann.port) as stranger:
                stranger.send(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
                came.add(number)
                if len(came) == HALF_OPEN:
                    everybody_came.set()
                await stranger.rest()  # until it is dropped

        async with crowd(HALF_OPEN, stand):
            await everybody_came.wait()
            assert (await ann.get("overview"))["actors"] > 10
            cookie = await logged_in(ann)
            session = await ann.anonymous().send("GET", "/api/v1/session", Cookie=cookie)
            assert orjson.loads(session.body)["access"] == "administer"
            url, headers = f"ws://127.0.0.1:{ann.port}/api/v1/live", {"Authorization": f"Bearer {ann.token}"}
            async with connect(url, additional_headers=headers, proxy=None) as viewer:
                for _ in range(2):
                    assert orjson.loads(await viewer.recv())["type"] == "live"


# In virtual time.


def bearer(door: VirtualSocket, token: str, address: str = "192.0.2.1") -> VirtualBrowser:
    """A client that asks for something with a token."""
    browser = VirtualBrowser(door, address)
    browser.send_bytes(request("GET", "/api/v1/session", Authorization=f"Bearer {token}"))
    return browser


@simulated
async def test_one_wrong_token_too_many_waits_for_its_answer_and_nobody_else_does(tmp_path: Path) -> None:
    application, network = new_application(tmp_path, console_port=0), VirtualNetwork()
    for sockets in (application.sockets, application.console.admin):
        network.listen(sockets)
    door, now = network.listen(application.console.web), asyncio.get_running_loop().time
    async with running(application):
        began = now()
        for _ in range(FREE_FAILURES):
            assert (await bearer(door, WRONG).answer()).startswith(b"HTTP/1.1 401 ")
        guessing = [bearer(door, WRONG) for _ in range(MAX_UNRECOGNIZED + 20)]
        await settle()
        for name in ("console-token", "console-token-read"):
            assert (await bearer(door, plain_token(tmp_path, name)).answer()).startswith(b"HTTP/1.1 200 ")
        assert (await bearer(door, WRONG, "192.0.2.2").answer()).startswith(b"HTTP/1.1 401 ")
        assert now() - began < DELAY
        assert not any(browser.answers for browser in guessing)
        assert (await guessing[-1].answer()).startswith(b"HTTP/1.1 429 ")
        assert now() - began >= DELAY
