"""Wires without an owner: they wait for an owner, for a limited time."""

import asyncio

import pytest

from actors import Ignored, send_exit, start
from actors.debug import force_exit, processes
from actors.testing import Probe, kill, quiet, settle
from supervision import restart_child, terminate_child
from supervision.server import Connection
from supervision.server.deadlines import ADOPTION_TIMEOUT
from tests.server.aviary import Aviary, greeted
from tests.support.instance import simulated_server
from tests.support.scenarios import simulated


@simulated
async def test_wire_that_nobody_adopts_is_closed_with_1011() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        probe = await Probe.begin()
        wire.adopt(probe.ref)  # takes it from the connection actor, and dies
        began = loop.time()
        send_exit(probe.ref, "kill")
        assert (await peer.end())[0] == 1011
        assert loop.time() - began == pytest.approx(ADOPTION_TIMEOUT)
        force_exit(server.connections()[0], "crash")  # its wire is gone, so nobody follows it
        await quiet()
        assert server.connections() == []


@simulated
async def test_wire_waits_for_its_owner_as_long_as_its_server_is_being_restarted() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        (supervisor,) = (process.parent for process in processes() if process.kind == "Listener")
        assert supervisor is not None
        await terminate_child(supervisor, "listener")
        probe = await Probe.begin()
        wire.adopt(probe.ref)
        await kill(probe.ref)
        await settle(20.0 * ADOPTION_TIMEOUT)  # as long as those before it take to start
        assert peer.closed is None
        await restart_child(supervisor, "listener")
        await quiet()
        peer.send_text("after the restart")
        await peer.until(lambda: "after the restart" in peer.received)


@simulated
async def test_wire_is_not_given_up_while_others_are_being_adopted() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        await greeted(await server.join())
        last = await greeted(await server.join())
        for wire in server.sockets.wires.values():
            probe = await Probe.begin()
            wire.adopt(probe.ref)
            await kill(probe.ref)
        first = next(iter(server.sockets.wires.values()))
        began = loop.time()
        probe = await Probe.begin()
        for _ in range(3):  # as if there were thousands to be adopted
            await settle(0.9 * ADOPTION_TIMEOUT)
            first.adopt(probe.ref)
        assert last.closed is None
        assert (await last.end())[0] == 1011
        assert loop.time() - began == pytest.approx(3.7 * ADOPTION_TIMEOUT)
        await kill(probe.ref)


@simulated
async def test_wire_is_owned_by_one_actor_only() -> None:
    async with simulated_server(Aviary()) as server:
        await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        with pytest.raises(Ignored):
            await start(Connection, Aviary(), wire)
        assert len(server.connections()) == 1
        assert wire.owner is server.connections()[0]


@simulated
async def test_orphans_are_the_open_wires_without_an_owner() -> None:
    async with simulated_server(Aviary()) as server:
        await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        assert server.sockets.orphans() == []
        probe = await Probe.begin()
        wire.adopt(probe.ref)
        await kill(probe.ref)
        assert server.sockets.orphans() == [wire]
        wire.abort()
        await quiet()
        assert server.sockets.orphans() == []
