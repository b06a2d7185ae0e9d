"""Plain HTTP requests on a connection: answered in order and in time, even after a crash."""

import asyncio

import pytest

from actors.debug import force_exit
from actors.testing import quiet, settle
from protocol import Response
from supervision.server import Policy
from tests.server.aviary import Aviary, get
from tests.support.instance import simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, VirtualBrowser

REQUEST_TIMEOUT = Policy().request_timeout


@simulated
async def test_one_connection_serves_many_requests() -> None:
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        for number in range(3):
            browser.send_bytes(get(f"/plain?{number}"))
            assert (await browser.answer()).endswith(f"\r\n\r\n/plain?{number}".encode())
        browser.send_bytes(get("/nowhere"))
        assert b"404 Not Found" in await browser.answer()
        browser.send_bytes(get("/plain", "Connection: close"))
        assert b"\r\nConnection: close\r\n" in await browser.answer()
        await browser.end()


@pytest.mark.parametrize("data", [b"G", b"GET /plain HT", b"GET /plain HTTP/1.1\r\nHost: a"])
@pytest.mark.parametrize("before", [b"", get("/plain")], ids=["first request", "second request"])
@simulated
async def test_client_that_does_not_finish_a_request_gets_408_in_time(before: bytes, data: bytes) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(before + data[:1])
        if before:
            await browser.answer()
        began = loop.time()
        await settle(0.9 * REQUEST_TIMEOUT)  # a trickle wins no time
        browser.send_bytes(data[1:])
        assert (await browser.answer()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert loop.time() - began == pytest.approx(REQUEST_TIMEOUT)
        browser.hang_up(EOF)
        await browser.end()
        await quiet()
        assert server.connections() == []
        assert server.sockets.cut_off == {"request": 1}


@pytest.mark.parametrize("before", [b"", get("/plain")], ids=["never a request", "after a request"])
@simulated
async def test_client_that_sends_nothing_is_dropped_in_time_without_a_word(before: bytes) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(before)
        if before:
            await browser.answer()
        began = loop.time()
        await settle(REQUEST_TIMEOUT)
        browser.hang_up(EOF)
        await browser.end()
        assert loop.time() - began == pytest.approx(REQUEST_TIMEOUT)
        assert browser.answers == b""
        assert server.sockets.cut_off == {}


@simulated
async def test_request_that_comes_in_the_last_moment_is_answered() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        loop.call_at(loop.time() + REQUEST_TIMEOUT, browser.send_bytes, get("/plain"))
        assert (await browser.answer()).endswith(b"/plain")
        browser.send_bytes(get("/plain?again"))
        assert (await browser.answer()).endswith(b"/plain?again")


@simulated
async def test_pipelined_requests_are_answered_in_order() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(get("/later") + get("/plain?2") + get("/plain?3"))
        await aviary.asked()
        assert browser.answers == b""
        aviary.later.set_result(Response(200, (), b"first"))
        for expected in (b"first", b"/plain?2", b"/plain?3"):
            assert (await browser.answer()).endswith(b"\r\n\r\n" + expected)


@simulated
async def test_client_that_sends_no_more_still_gets_its_answer() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(get("/later"))
        await aviary.asked()
        browser.hang_up(EOF)
        aviary.later.set_result(Response(200, (), b"here you are"))
        assert (await browser.answer()).endswith(b"here you are")
        await browser.end()


@simulated
async def test_request_whose_actor_crashes_gets_500_and_the_socket_is_closed() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        for path, crashes_after in (("/crash", 0.0), ("/later/crash", 1.0)):
            began = loop.time()
            browser = VirtualBrowser(server.door)
            browser.send_bytes(get(path))
            answer = await browser.answer()
            assert loop.time() - began == pytest.approx(crashes_after)
            assert answer.startswith(b"HTTP/1.1 500 ")
            assert b"\r\nConnection: close\r\n" in answer
            await browser.end()
        await quiet()
        assert server.connections() == []


@simulated
async def test_request_that_waits_behind_a_crash_is_served() -> None:
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        await quiet()
        browser.send_bytes(get("/plain"))
        (wire,) = server.sockets.wires.values()
        while not wire.events:
            await asyncio.sleep(0)
        force_exit(server.connections()[0], "crash")  # before it took the request
        assert (await browser.answer()).endswith(b"/plain")


@simulated
async def test_error_of_an_answer_that_takes_time_is_sent() -> None:
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(get("/later/refused") + get("/plain"))
        assert b"418" in await browser.answer()
        assert (await browser.answer()).endswith(b"/plain")


@simulated
async def test_request_that_cannot_be_understood_is_answered_and_nothing_is_left() -> None:
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(b"NONSENSE\r\n\r\n")
        assert (await browser.answer()).startswith(b"HTTP/1.1 400 ")
        await browser.end()
        await quiet()
        assert server.connections() == []
