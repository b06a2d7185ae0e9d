"""A whole canvas for one test: started, stopped, and checked for what it left behind."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from actors import CallExit, Ref, whereis
from actors.debug import processes
from actors.testing import VirtualLoop
from canvas.application import CanvasApplication
from canvas.config import Config
from supervision import Application, which_children
from supervision.requests import RESTARTING
from supervision.server import Policy, Routes, Sockets, server
from tests.support.virtual_network import VirtualClient, VirtualNetwork, VirtualPeer, VirtualSocket

SMALL: dict[str, Any] = {
    "port": 0,
    "width": 32,
    "height": 16,
    "rate_limit": None,
    "drain_timeout": 2.0,
    "store": "memory",
    "console_port": None,
}
"""A canvas that is quick to start, for clients that paint without a pause."""


def new_application(data: Path, **options: Any) -> CanvasApplication:
    """An application of `SMALL` with `options`; its visitors are called user1, user2 and so on, or as in `user_ids`."""
    user_ids = iter(options.pop("user_ids", None) or map("user{}".format, itertools.count(1)))
    return CanvasApplication(Config(data=data, **{**SMALL, **options}), new_user_id=lambda: next(user_ids))


@contextlib.asynccontextmanager
async def running(application: CanvasApplication) -> AsyncIterator[CanvasApplication]:
    """Start an application, stop it at the end, and check that it left nothing behind."""
    try:
        await application.start()
        yield application
        await application.stop()
        assert_nothing_left(application)
    finally:
        application.close()


@contextlib.asynccontextmanager
async def simulation(data: Path, **options: Any) -> AsyncIterator["Simulation"]:
    """Run an application in virtual time, on a virtual network."""
    application = new_application(data, **options)
    network = VirtualNetwork()
    door = network.listen(application.sockets)
    network.listen(application.console.admin)
    async with running(application):
        yield Simulation(application, door)


@contextlib.asynccontextmanager
async def simulated_server(routes: Routes, **options: Any) -> AsyncIterator["ServerSimulation"]:
    """Run a server with `routes` in virtual time, on a virtual network. `options` as of `supervision.server.server`."""
    door = VirtualNetwork().listen()
    rules = {field.name: options.pop(field.name) for field in fields(Policy) if field.name in options}
    sockets = Sockets([door.as_socket()], Policy(**{"max_connections": 100, **rules}))

    application = Application(server("server", sockets, routes, **options))
    await application.start()
    yield ServerSimulation(application, sockets, door)
    await application.stop()
    assert processes() == []
    assert sockets.wires == {}


@dataclass(frozen=True)
class ServerSimulation:
    """A server that runs in virtual time."""

    application: Application
    sockets: Sockets
    door: VirtualSocket

    async def join(self, path: str = "/") -> VirtualPeer:
        """A new client with an open WebSocket."""
        peer = VirtualPeer()
        peer.begin(self.door, path)
        await peer.until(lambda: bool(peer.response), "for the handshake")
        assert peer.response.startswith(b"HTTP/1.1 101 "), peer.response
        return peer

    def connections(self) -> list[Ref]:
        """The connection actors, oldest first."""
        return [process.ref for process in processes() if process.kind == "Connection"]


class Simulation:
    """An application that runs in virtual time."""

    def __init__(self, application: CanvasApplication, door: VirtualSocket) -> None:
        self.application = application
        self.door = door

    async def join(self) -> VirtualClient:
        """A new client that sees the canvas."""
        return await VirtualClient.open(self.door)


def assert_nothing_left(application: CanvasApplication) -> None:
    """No process, no wire and no entry of a table outlives the application."""
    assert processes() == []
    for sockets in (application.sockets, application.console.admin):
        assert sockets.wires == {}


def registered(name: str) -> Ref:
    """The living process of this name."""
    ref = whereis(name)
    assert ref is not None, f"no {name}"
    return ref


def find_child(supervisor: str, label: str) -> Ref:
    """A living child of a supervisor by their labels."""
    for process in processes():
        if process.label == label and process.parent is not None and process.parent.label == supervisor:
            return process.ref
    raise AssertionError(f"no {label} under {supervisor}")


def connection_of(application: CanvasApplication, user_id: str) -> Ref:
    """The connection actor of a visitor."""
    ref = application.room.users.whereis(user_id)
    assert ref is not None, f"{user_id} has no connection"
    return ref


async def mended(application: CanvasApplication) -> None:
    """Wait until every supervisor has restarted what it has to restart.

    A supervisor answers only after it has dealt with the exits that came before, so nothing is polled.
    """
    is_virtual = isinstance(asyncio.get_running_loop(), VirtualLoop)
    while not await _is_whole():
        assert application.top().is_alive()
        await asyncio.sleep(0.01 if is_virtual else 0.0)  # some wait before a restart


async def _is_whole() -> bool:
    for label in ("canopy", "server", "console", "on_demand", "admin", "server.connections", "admin.connections"):
        ref = whereis(label) or _find_supervisor(label)
        if ref is None:
            return False
        try:
            children = await which_children(ref)
        except CallExit:  # it has died meanwhile
            return False
        if any(child.ref is None or child.ref == RESTARTING for child in children):
            return False
    return True


def _find_supervisor(label: str) -> Ref | None:
    return next((process.ref for process in processes() if process.label == label), None)
