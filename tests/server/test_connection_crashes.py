"""Crashes of connection actors: the socket survives, and the next actor goes on."""

import pytest

from actors import send_exit, stop
from actors.debug import force_exit
from actors.testing import quiet, settle
from supervision import Limit
from tests.server.aviary import Aviary, greeted, text
from tests.support.instance import simulated_server
from tests.support.scenarios import simulated


@pytest.mark.parametrize("how", ["crash", "force_exit", "kill", "signal"])
@simulated
async def test_socket_survives_the_crash_of_its_actor(how: str) -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        peer = await greeted(await server.join())
        (ref,) = server.connections()
        match how:
            case "crash":
                peer.send_text("crash")
            case "force_exit":
                force_exit(ref, "crash")
            case _:
                send_exit(ref, how)
        await greeted(peer)  # by its next incarnation
        peer.send_text("still there?")
        assert await peer.message() == "still there?"
        (successor,) = server.connections()
        assert successor is not ref
        assert aviary.parrots == 2
        assert peer.closed is None


@simulated
async def test_messages_behind_the_one_that_crashed_are_handled_and_that_one_is_not_again() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        peer.send_bytes(text("before") + text("crash") + text("after") + text("later"))
        await peer.until(lambda: "later" in peer.received)
        assert peer.received == ["before", "hello", "after", "later"]


@simulated
async def test_message_cut_in_two_by_a_crash_arrives_whole() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        frame = text("half and half")
        peer.send_bytes(frame[:9])
        await quiet()
        force_exit(server.connections()[0], "crash")
        peer.send_bytes(frame[9:])
        await peer.until(lambda: len(peer.received) == 2)
        assert peer.received == ["hello", "half and half"]


@simulated
async def test_handler_that_crashes_on_every_message_is_closed_with_1011_and_neighbours_never_notice() -> None:
    aviary = Aviary()
    async with simulated_server(aviary, crash_budget=Limit(3, 10.0)) as server:
        neighbour = await greeted(await server.join())
        victim = await greeted(await server.join())
        before = server.connections()[0]
        for _ in range(3):
            victim.send_text("crash")
            await greeted(victim)
        victim.send_text("crash")
        code, reason = await victim.end()
        assert (code, reason) == (1011, "the server failed to handle this connection")
        neighbour.send_text("what was that?")
        assert await neighbour.message() == "what was that?"
        assert server.connections() == [before]
        assert aviary.parrots == 1 + 4
        assert list(server.sockets.wires) == [1]


@simulated
async def test_crashes_that_are_far_apart_are_forgiven() -> None:
    async with simulated_server(Aviary(), crash_budget=Limit(1, 10.0)) as server:
        peer = await greeted(await server.join())
        for _ in range(5):
            peer.send_text("crash")
            await greeted(peer)
            await settle(10.1)
        assert peer.closed is None


@simulated
async def test_handler_that_cannot_open_is_closed_with_1011() -> None:
    async with simulated_server(Aviary(), crash_budget=Limit(3, 10.0)) as server:
        peer = await server.join("/stillborn")
        assert (await peer.end())[0] == 1011
        await quiet()
        assert server.connections() == []


@simulated
async def test_actor_that_ends_by_itself_takes_its_socket_along() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        await stop(server.connections()[0])
        assert await peer.end() == (1001, "")


@simulated
async def test_nothing_of_the_client_is_read_while_nobody_would_handle_it() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        send_exit("server.connections", "kill")
        for number in range(100):
            peer.send_text(str(number))
        await peer.until(lambda: len(peer.received) == 101)
        assert peer.received == ["hello", *map(str, range(100))]
        assert wire.owner is server.connections()[0]
