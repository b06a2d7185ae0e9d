"""The supervision tree of the canvas: one literal list. The start order says who needs whom."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable

from actors import Ref
from canvas.broadcaster import Broadcaster
from canvas.canvas import Canvas
from canvas.config import Config
from canvas.doors import open_doors, policy_of
from canvas.images import Images
from canvas.room import Room, Viewer
from canvas.routes import Routes
from canvas.store import MemoryStore, Store, StoreServer
from registry import Keys, Registry, Table
from supervision import Application, ChildType, Strategy, Supervisor, child
from supervision.console.client import SOCKET
from supervision.console.routes import AdminRoutes
from supervision.server import Policy, Sockets, listen_unix, server


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

    Attributes:
        sockets: the server's; they are open from the beginning, so that a port in use is found before anything starts
    """

    def __init__(
        self,
        config: Config,
        *,
        new_user_id: Callable[[], str] = lambda: secrets.token_hex(4),
        store: Store | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        with contextlib.ExitStack() as opened:
            policy = policy_of(config)
            self.sockets = Sockets(open_doors(config), policy)
            opened.callback(self.sockets.close)
            config.data.mkdir(parents=True, exist_ok=True)
            self._admin_path = config.data / SOCKET
            self.admin = Sockets([listen_unix(self._admin_path)], Policy(max_connections=100))
            opened.callback(self.admin.close)
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
            routes = Routes(config, self.room, self.sockets, new_user_id)
            self._top: Ref | None = None
            opened.pop_all()
        room = self.room
        tree = child(
            Supervisor,
            [
                child(Registry, room.users, room.viewers, id="registry", name="registry"),
                child(StoreServer, self.store, id="store", name="store"),
                child(Broadcaster, room, id="broadcaster", name="broadcaster"),
                child(Canvas, "store", "broadcaster", config.tick, wall_clock, id="canvas", name="canvas"),
                child(Images, id="images", name="images"),
                server("server", self.sockets, routes, drain_timeout=config.drain_timeout),
                server("console", self.admin, AdminRoutes(self.top), drain_timeout=1.0),
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
        self.admin.close()
        self._admin_path.unlink(missing_ok=True)
        if self.config.unix is not None:
            self.config.unix.unlink(missing_ok=True)

    def _prepare_stop(self) -> None:
        self.sockets.drain()
        self.admin.drain()
