"""The supervision tree of the canvas: one literal list. Each process depends only on those started before it."""

from __future__ import annotations

import base64
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from actors import Ref
from canvas.admin.moderation import BAN, LIFT, Moderation
from canvas.admin.pages import (
    BansPage,
    CanvasPage,
    StorePage,
    UsersPage,
    acts_on_address,
    acts_on_user,
    measure_store,
)
from canvas.admin.rollback import Rollback
from canvas.admin.user_directory import UserDirectory
from canvas.config import Config
from canvas.data_dir import Folder
from canvas.history.historian import BlockingHistorian, Historian
from canvas.listeners import load_tls, open_console, open_listeners, policy_of
from canvas.live.accepted import Accepted
from canvas.live.broadcaster import SILENCE, Broadcaster
from canvas.live.canvas import MAX_WAITING, Canvas
from canvas.live.client_state import client_state_of
from canvas.live.held import Held, Meter
from canvas.live.recent_users import RecentUsers
from canvas.live.room import Allowances, Room, Viewer
from canvas.live.snapshot_cache import MAX_BYTES
from canvas.live.snapshot_encoder import MAX_TILES, SnapshotEncoder
from canvas.live.waiting import Waiting
from canvas.store import (
    DATABASE,
    About,
    BlockingStoreServer,
    MemoryStore,
    SqliteStore,
    Store,
    StoreServer,
    UnusableStore,
)
from canvas.users.bans import FILE as BANS
from canvas.users.bans import Bans
from canvas.users.identity import Identities, read_keys
from canvas.web.images import MAX_KEPT, Images
from canvas.web.pixel_history import MOST_WAITING, SHARE
from canvas.web.routes import Routes
from registry import Keys, Registry, Table
from supervision import Application, Backoff, Strategy, child, supervisor
from supervision.console import Act, Client, Console, Extensions, Sources, Usage
from supervision.server import BasePath, Sockets, Wire, server


def open_store(config: Config) -> Store:
    """Open the configured store, or create it. The caller must hold the lock of the data folder.

    Raises:
        UnusableStore: if the existing store cannot be used, or its size or background differ from the given options.
        OSError: if a new store cannot be created.
    """
    epoch = secrets.token_hex(8)
    if config.store == "memory":
        return MemoryStore(epoch, config.width, config.height, config.background)
    path = config.data / DATABASE
    new = About(epoch, config.width, config.height, config.background)
    store = SqliteStore.open(path, config.durability, new=new, next_epoch=epoch)
    for option in ("width", "height", "background"):
        asked, has = getattr(config, option), getattr(store, option)
        if option in config.given and asked != has:
            if option == "background":
                asked, has = f"#{asked:06X}", f"#{has:06X}"
            raise UnusableStore(f"{config.given[option]} is {asked}, but the {option} of the canvas in {path} is {has}")
    return store


def random_id() -> str:
    """Return an id of eight characters for a new user: among a million, the chance of a collision is one in three."""
    return base64.b32encode(secrets.token_bytes(5)).decode().lower()


QUESTIONS = "questions about pixels"


class CanvasApplication(Application):
    """The canvas, its server and its console: everything but the OS process it runs in.

    The constructor opens the sockets, the data folder and the store, so that a port in use or an unusable store is
    reported before anything starts.

    Args:
        config: the configuration
        new_user_id: returns an id for a new user
        store: used instead of the configured store
        wall_clock: returns the time in seconds since 1970
        set_log_level: sets the lowest level that is logged
        identity_key: signs user ids, instead of the keys in the data folder
        silence: seconds without a message after which a viewer is sent a heartbeat; `inf` for none

    Attributes:
        sockets: the listening sockets and connections of the server
        console: the admin console
    """

    def __init__(
        self,
        config: Config,
        *,
        new_user_id: Callable[[], str] = random_id,
        store: Store | None = None,
        wall_clock: Callable[[], float] = time.time,
        set_log_level: Callable[[str], object] | None = None,
        identity_key: bytes | None = None,
        silence: float = SILENCE,
    ) -> None:
        self.config = config
        self._silence = silence
        with contextlib.ExitStack() as opened:
            policy = policy_of(config)
            self.sockets = Sockets(open_listeners(config), policy)
            opened.callback(self.sockets.close)
            self._folder = Folder(config.data)
            opened.callback(self._folder.release)
            self.store = store or open_store(config)
            opened.callback(self.store.close)
            rules = config.rules
            bans = Bans(config.data / BANS, wall_clock)
            keys = read_keys(config.data) if identity_key is None else [identity_key]
            identities = Identities(keys, f"{config.base_path}/")
            self.room = Room(
                canvas="canvas",
                broadcaster="broadcaster",
                users=Table("users", Keys.DUPLICATE),
                viewers=Table[Viewer]("viewers", Keys.DUPLICATE, listeners=["broadcaster"]),
                width=self.store.width,
                height=self.store.height,
                background=self.store.background,
                rules=rules,
                allowances=Allowances(rules),
                accepted=Accepted(),
                held=Held(
                    Meter("pixels that wait", MAX_WAITING),
                    Meter("states", MAX_BYTES, unit="bytes"),
                    Meter("compressed tiles", MAX_TILES, unit="bytes"),
                    Meter("pictures", MAX_KEPT, unit="bytes"),
                ),
            )
            recent_users = RecentUsers()
            users = UserDirectory(bans, recent_users, self.sockets)
            self.moderation = Moderation(bans, users, self.sockets, identities)
            waiting = Waiting(MOST_WAITING, SHARE)
            sources = self._sources(waiting, wall_clock)
            extensions = self._extensions(bans, users, set_log_level, wall_clock)
            self.console = Console(sources, config.data, open_console(config), extensions)
            routes = Routes(
                config, self.room, self.sockets, new_user_id, identities, bans, recent_users, self.store, waiting
            )
            self._top: Ref | None = None
            opened.pop_all()
        room, blocks = self.room, self.store.blocks
        held = room.held
        store_server, historian = (BlockingStoreServer, BlockingHistorian) if blocks else (StoreServer, Historian)
        # These only answer queries and no other process depends on them, so they start last. They have a supervisor of
        # their own, so that their crashes do not count towards the limit of the tree. If they keep crashing, they are
        # restarted 50 times, then after a pause, and so on.
        on_demand = supervisor(
            "on_demand",
            [
                child(historian, self.store, id="history", name="history"),
                child(Images, held.pictures, id="images", name="images"),
            ],
            intensity=50,
            period=10.0,
            backoff=Backoff(first=0.05, maximum=30.0),
        )
        tree = supervisor(
            "canopy",
            [
                child(Registry, room.users, room.viewers, id="registry", name="registry"),
                child(store_server, self.store, "history", id="store", name="store"),
                child(SnapshotEncoder, held.tiles, id="encoder", name="encoder"),
                child(Broadcaster, room, self._silence, id="broadcaster", name="broadcaster"),
                child(Canvas, room, "store", "encoder", config.tick, wall_clock, id="canvas", name="canvas"),
                server("server", self.sockets, BasePath(config.base_path, routes), drain_timeout=config.drain_timeout),
                self.console.spec(),
                on_demand,
            ],
            strategy=Strategy.REST_FOR_ONE,
            intensity=200,  # tolerates `canopy chaos`: five random crashes per second are 50 in 10 s
            period=10.0,
        )
        super().__init__(tree)

    def top(self) -> Ref:
        """Return the top supervisor."""
        assert self._top is not None, "the application has not been started"
        return self._top

    async def start(self) -> Ref:
        """Start the tree and return the top supervisor."""
        self._top = await super().start()
        return self._top

    def close(self) -> None:
        """Release the sockets, the store and the data folder, after the tree has stopped or if it never started."""
        self.sockets.close()
        self.console.close()
        self.store.close()
        self._folder.release()

    def reload_certificates(self) -> None:
        """Reload the certificate and its key, for new connections.

        Raises:
            ListenerError: if they cannot be used; the previous ones stay in use.
        """
        tls = load_tls(self.config)
        for sockets in (self.sockets, self.console.web):
            if sockets is not None and sockets.policy.tls is not None:
                sockets.policy = replace(sockets.policy, tls=tls)

    async def drain(self) -> None:
        """Refuse new connections and close the open ones with a goodbye; the other processes run until the stop."""
        self.sockets.prepare_stop()
        await self.sockets.close_websockets()

    def _sources(self, waiting: Waiting, wall_clock: Callable[[], float]) -> Sources:
        """Return what the console inspects."""
        room, store = self.room, self.store
        return Sources(
            application="canopy",
            root=self.top,
            servers={"server": self.sockets},
            tables=(room.users, room.viewers),
            client_of=_client_of,
            metrics=partial(measure_store, store),
            limits=lambda: [
                *(Usage.of(meter.name, meter.used, meter.most, meter.unit) for meter in room.held),
                Usage.of(QUESTIONS, len(waiting), waiting.most),
            ],
            wall_clock=wall_clock,
        )

    def _extensions(
        self,
        bans: Bans,
        users: UserDirectory,
        set_log_level: Callable[[str], object] | None,
        wall_clock: Callable[[], float],
    ) -> Extensions:
        """Return the pages, routes, forms and actions that the canvas adds to the console."""
        room, rollback = self.room, Rollback(users, wall_clock)
        return Extensions(
            pages=(
                UsersPage(users),
                BansPage(bans, users),
                CanvasPage(room, users),
                StorePage(self.store, "store", "canvas"),
            ),
            routes=(*self.moderation.routes(), *rollback.routes()),
            forms=(BAN, LIFT, rollback.form(room.width, room.height)),
            acts_on=_acts_on,
            drain=self.drain,
            set_log_level=set_log_level,
        )


def _client_of(wire: Wire) -> Client | None:
    """Return the user of a wire; None if the wire is not a viewer's."""
    client = client_state_of(wire)
    return None if client is None else Client(client.user_id, client.name)


def _acts_on(wire: Wire) -> list[Act]:
    """Return the actions that the console offers for a wire."""
    client = client_state_of(wire)
    return acts_on_address(wire.address) if client is None else acts_on_user(client.user_id)
