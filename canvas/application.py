"""The supervision tree of the canvas: one literal list. The start order says who needs whom."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import secrets
import time
from collections.abc import Callable

from actors import Ref
from canvas.broadcaster import Broadcaster
from canvas.canvas import Canvas
from canvas.config import AUTO, Config, ConfigError
from canvas.images import Images
from canvas.pages import CanvasPage, GroupsPage, PresencePage
from canvas.room import Room, Viewer
from canvas.routes import Routes
from canvas.store import MemoryStore, Store, StoreServer
from protocol import CloseCode, Compression
from registry import Keys, Registry, Table
from supervision import Application, ChildType, Strategy, Supervisor, child
from supervision.console import Console, Door, Sources
from supervision.server import Sockets, Wire, listen, server

CONSOLE_PORT = 8001
"""The console's port by default."""
GOODBYES = 200
"""Visitors who get their goodbye before others have a turn."""


def open_store(config: Config) -> Store:
    """The store that the configuration asks for."""
    return MemoryStore(secrets.token_hex(8), config.width, config.height, config.background)


class CanvasApplication(Application):
    """The canvas, its server and its admin socket: everything but the process it runs in.

    Args:
        config: what was configured
        new_user_id: names a new visitor
        store: where committed changes live, in place of the one that is configured
        wall_clock: seconds since 1970
        set_log_level: logs from a level on

    Attributes:
        sockets: the server's; they are open from the beginning, so that a port in use is found before anything starts
        console: what can be seen of it, and done to it

    Raises:
        OSError: if a port or a file of the data folder cannot be had.
        ConfigError: the same of the console's port.
    """

    def __init__(
        self,
        config: Config,
        *,
        new_user_id: Callable[[], str] = lambda: secrets.token_hex(4),
        store: Store | None = None,
        wall_clock: Callable[[], float] = time.time,
        set_log_level: Callable[[str], object] | None = None,
    ) -> None:
        self.config = config
        with contextlib.ExitStack() as opened:
            self.sockets = Sockets(
                listen(config.host, config.port),
                max_connections=config.max_connections,
                compression=Compression() if config.compression else None,
            )
            opened.callback(self.sockets.close)
            config.data.mkdir(parents=True, exist_ok=True)
            self.store = store or open_store(config)
            self.room = Room(
                canvas="canvas",
                broadcaster="broadcaster",
                users=Table("users"),
                viewers=Table[Viewer]("viewers", Keys.DUPLICATE, listeners=["broadcaster"]),
                width=config.width,
                height=config.height,
                background=config.background,
                rate_limit=config.rate_limit,
            )
            room = self.room
            tables = (room.users, room.viewers)
            sources = Sources(
                application="canopy",
                root=self.top,
                servers={"server": self.sockets},
                tables=tables,
                pages=(CanvasPage(room), PresencePage(room), GroupsPage(tables)),
                user_of=self._user_of,
                store=lambda: {"kind": config.store, "durability": "none", "epoch": self.store.epoch},
                drain=self.drain,
                set_log_level=set_log_level,
                wall_clock=wall_clock,
            )
            door = _open_door(config)
            if door is not None:
                opened.callback(door.listening.close)
            self.console = Console(sources, config.data, door)
            self.admin = self.console.admin
            routes = Routes(config, room, self.sockets, new_user_id)
            self._top: Ref | None = None
            opened.pop_all()
        tree = child(
            Supervisor,
            [
                child(Registry, room.users, room.viewers, id="registry", name="registry"),
                child(StoreServer, self.store, id="store", name="store"),
                child(Broadcaster, room, id="broadcaster", name="broadcaster"),
                child(Canvas, "store", "broadcaster", config.tick, wall_clock, id="canvas", name="canvas"),
                child(Images, id="images", name="images"),
                server("server", self.sockets, routes, drain_timeout=config.drain_timeout),
                self.console.spec(),
            ],
            id="canopy",
            label="canopy",
            type=ChildType.SUPERVISOR,
            # For people who crash things for fun: five random crashes a second are 50 in 10 s.
            kwargs={"strategy": Strategy.REST_FOR_ONE, "intensity": 200, "period": 10.0},
        )
        super().__init__(tree, prepare_stop=self._prepare_stop)

    def top(self) -> Ref:
        """The top supervisor."""
        assert self._top is not None, "the application has not been started"
        return self._top

    async def start(self) -> Ref:
        """Start the tree; returns the top supervisor."""
        self._top = await super().start()
        return self._top

    def close(self) -> None:
        """Close the sockets, after the tree has stopped."""
        self.sockets.close()
        self.console.close()

    async def drain(self) -> None:
        """Let nobody in any more, and say goodbye to those who are there; the rest goes on until the stop."""
        self.sockets.is_draining = True
        for number, wire in enumerate(list(self.sockets.wires.values()), start=1):
            wire.close(CloseCode.GOING_AWAY, "the server is going away")
            if number % GOODBYES == 0:
                await asyncio.sleep(0)

    def _user_of(self, wire: Wire) -> str | None:
        """The visitor at the other end."""
        keys = () if wire.owner is None else self.room.users.keys(wire.owner)
        return next(map(str, keys), None)

    def _prepare_stop(self) -> None:
        self.sockets.is_draining = True
        self.console.prepare_stop()


def _open_door(config: Config) -> Door | None:
    """Listen on the port of the console; the one that is meant by default may be another's."""
    host, port = config.console_host, config.console_port
    if port is None:
        return None
    try:
        listening = listen(host, CONSOLE_PORT if port == AUTO else port)
    except OSError as error:
        if port != AUTO or error.errno != errno.EADDRINUSE:
            raise ConfigError("--console-port", port, f"one that can be had on {host} ({error.strerror})") from None
        listening = listen(host, 0)
    return Door(listening, hosts=(host, *config.console_names))
