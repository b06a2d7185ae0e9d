"""The listener in virtual time: who is let in, who is told to come later, and what its own crash costs (nothing)."""

import asyncio
import errno

import pytest

from actors import send_exit
from actors.debug import force_exit
from actors.testing import quiet, settle
from protocol import Request, Response
from supervision import which_children
from supervision.server import Answer
from supervision.server.admission import RETRY_AFTER
from supervision.server.listener import ACCEPTS_PER_TURN, BACK_OFF
from tests.support.instance import ServerSimulation, find_child, simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, VirtualBrowser

REQUEST = b"GET / HTTP/1.1\r\nHost: canopy\r\n\r\n"


def answer(request: Request) -> Answer:
    return Response(200, (), b"welcome")


async def visit(server: ServerSimulation) -> VirtualBrowser:
    """A new client that has been served and stays."""
    browser = VirtualBrowser(server.door)
    browser.send_bytes(REQUEST)
    assert (await browser.answer()).endswith(b"welcome")
    return browser


@simulated
async def test_crowd_that_comes_at_once_is_let_in() -> None:
    crowd = 3 * ACCEPTS_PER_TURN + 1
    async with simulated_server(answer, max_connections=crowd) as server:
        browsers = [VirtualBrowser(server.door) for _ in range(crowd)]
        for browser in browsers:
            browser.send_bytes(REQUEST)
        for browser in browsers:
            assert (await browser.answer()).endswith(b"welcome")
        assert len(server.connections()) == crowd


@simulated
async def test_queue_that_is_empty_is_not_asked_again() -> None:
    async with simulated_server(answer) as server:
        accept, asked = server.door.accept, 0

        def count() -> object:
            nonlocal asked
            asked += 1
            return accept()

        server.door.accept = count  # type: ignore[method-assign, assignment]
        await visit(server)
        await quiet()
        assert asked == 2


@simulated
async def test_one_too_many_gets_503_and_the_others_never_notice() -> None:
    async with simulated_server(answer, max_connections=2) as server:
        first, second = await visit(server), await visit(server)
        third = VirtualBrowser(server.door)
        refusal = await third.answer()
        assert refusal.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert f"\r\nRetry-After: {RETRY_AFTER}\r\n".encode() in refusal
        assert refusal.endswith(b"\r\n\r\ntoo many connections, try again later\n")
        await third.end()
        assert server.sockets.refused == {"too_many": 1}
        for browser in (first, second):
            browser.send_bytes(REQUEST)
            assert (await browser.answer()).endswith(b"welcome")
        first.hang_up(EOF)
        await first.end()
        await quiet()
        await visit(server)
        assert server.sockets.refused == {"too_many": 1}


@pytest.mark.parametrize("latency", [1, 50], ids="{} passes".format)
@pytest.mark.parametrize("how", ["crash", "kill"])
@simulated
async def test_crash_of_the_listener_costs_nobody_a_connection(how: str, latency: int) -> None:
    async with simulated_server(answer, max_connections=1_000) as server:
        server.door.network.passes = latency
        old = await visit(server)
        for passes in range(12):  # at every step of letting somebody in
            browser = VirtualBrowser(server.door)
            browser.send_bytes(REQUEST)
            for _ in range(passes):
                await asyncio.sleep(0)
            listener = find_child("server", "listener")
            force_exit(listener, "crash") if how == "crash" else send_exit(listener, "kill")
            assert (await browser.answer()).endswith(b"welcome")
            await which_children("server.connections")
        old.send_bytes(REQUEST)
        assert (await old.answer()).endswith(b"welcome")
        assert len(server.connections()) == len(server.sockets.wires) == 13


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
@simulated
async def test_machine_without_resources_makes_newcomers_wait_and_crashes_nobody(error: int) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(answer) as server:
        listener = find_child("server", "listener")
        server.door.errors.append(OSError(error, "exhausted"))
        began = loop.time()
        await visit(server)
        assert loop.time() - began == pytest.approx(BACK_OFF)
        assert listener.is_alive()


@pytest.mark.parametrize("error", [errno.ECONNABORTED, errno.EPROTO])
@simulated
async def test_newcomer_who_is_gone_already_delays_nobody(error: int) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(answer) as server:
        listener = find_child("server", "listener")
        server.door.errors.append(OSError(error, "gone"))
        began = loop.time()
        await visit(server)
        assert loop.time() == began
        assert listener.is_alive()


@simulated
async def test_unknown_error_crashes_the_listener_and_its_successor_lets_them_in() -> None:
    async with simulated_server(answer) as server:
        listener = find_child("server", "listener")
        server.door.errors.append(OSError(errno.EBADMSG, "never seen"))
        await visit(server)
        assert find_child("server", "listener") is not listener


@simulated
async def test_nobody_is_let_in_while_the_server_drains() -> None:
    async with simulated_server(answer) as server:
        server.sockets.prepare_stop()
        browser = VirtualBrowser(server.door)
        browser.send_bytes(REQUEST)
        await settle(60.0)
        assert browser.answers == b""
        assert server.connections() == []
