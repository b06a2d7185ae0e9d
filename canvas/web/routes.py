"""The HTTP routes of the canvas: the page, the WebSocket, health checks, the picture, and the history of a pixel."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import orjson

from actors import CallExit, call
from canvas.board.names import titled
from canvas.config import Config
from canvas.live.canvas import GetPicture, Picture
from canvas.live.client_state import ClientState
from canvas.live.health import what_is_wrong
from canvas.live.recent_users import RecentUser, RecentUsers
from canvas.live.room import Room
from canvas.live.view import open_view
from canvas.live.waiting import LATER, Waiting, unavailable
from canvas.messages.binary_codec import BINARY, SUBPROTOCOL
from canvas.messages.json_codec import JSON
from canvas.store import SLOW_WRITE, Store, StoreError
from canvas.users.bans import Bans
from canvas.users.identity import Identities, read_name
from canvas.web.echo import Echo
from canvas.web.images import EncodePng, Png
from canvas.web.pixel_history import PixelRoute
from protocol import HttpError, Limits, Request, Response, choose_subprotocol, decode_path, parse_index
from supervision.server import Answer, Sockets, WebSocket, page_files

ECHO_LIMITS = Limits(message=16 * 1024 * 1024, fragments=131_072)
"""The largest messages of the Autobahn test suite."""
SUBPROTOCOLS = (SUBPROTOCOL,)
MAX_STEP = 100
"""The largest `every` of `/api/canvas.png`."""
STATIC = Path(__file__).parent / "static"

_PAGE_HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-cache"),
)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent. Files are read once at startup, so no request can reach other files."""

    content: bytes
    content_type: str
    etag: str


def load_static(folder: Path = STATIC) -> dict[str, StaticFile]:
    """Read the files of the page: URL path -> file."""
    files = {}
    for url, path in page_files(folder):
        content = path.read_bytes()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        files[url] = StaticFile(content, kind, etag)
    files["/"] = files["/static/index.html"]
    return files


class Routes:
    """Answers HTTP requests and WebSocket handshakes.

    Args:
        config: the configuration
        room: what a handler needs of the canvas
        sockets: tells whether the server drains
        new_user_id: returns an id for a new user
        identities: recognises users by their cookies
        bans: the bans to enforce
        recent_users: records the users who connect
        store: reports its durability and slow writes
        waiting: limits the history queries that wait
    """

    def __init__(
        self,
        config: Config,
        room: Room,
        sockets: Sockets,
        new_user_id: Callable[[], str],
        identities: Identities,
        bans: Bans,
        recent_users: RecentUsers,
        store: Store,
        waiting: Waiting,
    ) -> None:
        self._config = config
        self._room = room
        self._sockets = sockets
        self._new_user_id = new_user_id
        self._identities = identities
        self._bans = bans
        self._recent_users = recent_users
        self._store = store
        self._static = load_static()
        self._pixel = PixelRoute(room, waiting)

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request."""
        path = decode_path(request.path)
        if path == "/ws":
            return self._open_websocket(request)
        if path == "/echo" and self._config.echo:
            return WebSocket(Echo, label="echo", limits=ECHO_LIMITS)
        if request.method not in ("GET", "HEAD"):
            raise HttpError(405, "only GET and HEAD are allowed here", (("Allow", "GET, HEAD"),))
        match path:
            case "/healthz":
                return self._health()
            case "/readyz" if self._sockets.is_draining:
                return _json(503, {"status": "draining"})
            case "/readyz":
                return _json(200, {"status": "ready"})
            case "/api/canvas.png":
                return self._picture(request)
            case "/api/pixel":
                return self._pixel(request)
        file = self._static.get(path)
        if file is None:
            raise HttpError(404, f"there is no {path}")
        headers = (("Content-Type", file.content_type), *_PAGE_HEADERS)
        return _cached(request, file.etag, headers, file.content)

    async def _health(self) -> Response:
        about: dict[str, object] = {"store": self._store.kind, "durability": self._store.durability}
        seconds = self._store.pace().seconds
        if seconds >= SLOW_WRITE:
            about["slow_write"] = round(seconds, 1)
        wrong = await what_is_wrong("store", self._room.canvas)
        if wrong is not None:
            return _json(503, {"status": "failing", **about, "error": wrong})
        return _json(200, {"status": "ok", **about})

    def _open_websocket(self, request: Request) -> WebSocket:
        known = self._identities.read(request)
        ban = self._bans.find(known, request.remote)
        if ban is not None:
            raise ban.refusal
        user_id = known or self._free_user_id()
        cookie = self._identities.header(user_id, is_secure=request.is_secure)  # renewed, so it lasts
        name = read_name(request.query)
        offered = request.headers.tokens("Sec-WebSocket-Protocol")
        codec = BINARY if choose_subprotocol(offered, SUBPROTOCOLS) else JSON
        view = open_view(codec, request.query, self._room.width, self._room.height)
        self._recent_users.saw(RecentUser(user_id, name, request.remote))
        return WebSocket(
            ClientState(self._room, user_id, name, view),
            SUBPROTOCOLS,
            label=f"user {titled(user_id, name)}",
            headers=(cookie,),
        )

    def _free_user_id(self) -> str:
        while self._room.users.whereis(user_id := self._new_user_id()) is not None:
            pass  # among 10,000 random 32-bit ids, the chance of a collision is one in a hundred
        return user_id

    async def _picture(self, request: Request) -> Response:
        step = _step(request.query)
        try:
            picture: Picture | StoreError = await call(self._room.canvas, GetPicture())
            if isinstance(picture, StoreError):
                raise unavailable(picture)
            etag = f'"{picture.epoch}-{picture.grid.seq}-{step}"'
            if _is_known(request, etag):
                return Response(304, _picture_headers(etag, picture.grid.seq))
            png: Png = await call("images", EncodePng(picture, step), timeout=30.0)
        except CallExit:  # a process is restarting: do not crash the connection
            raise HttpError(503, "the canvas is being restarted", LATER) from None
        return Response(200, _picture_headers(f'"{png.epoch}-{png.seq}-{step}"', png.seq), png.content)


def _step(query: str) -> int:
    """Read `every=10`: every tenth pixel of every tenth row."""
    (text,) = parse_qs(query, keep_blank_values=True).get("every", ["1"])[-1:]
    step = parse_index(text, MAX_STEP)
    if not step:
        raise HttpError(400, f"every must be an integer from 1 to {MAX_STEP}")
    return step


def _cached(request: Request, etag: str, headers: tuple[tuple[str, str], ...], body: bytes) -> Response:
    """Answer with `body`, or 304 if the client has this version, or 412 if it requires another (RFC 9110 §13.2.2)."""
    headers = (("ETag", etag), *headers)
    return Response(304, headers) if _is_known(request, etag) else Response(200, headers, body)


def _is_known(request: Request, etag: str) -> bool:
    """Tell whether the client has the version with this tag.

    Raises:
        HttpError: 412 if it requires another (`If-Match`).
    """
    wanted = request.headers.tokens("If-Match")
    if wanted and "*" not in wanted and etag not in wanted:
        raise HttpError(412, "No representation has a tag of If-Match (RFC 9110 §13.1.1)", (("ETag", etag),))
    known = request.headers.tokens("If-None-Match")
    return "*" in known or any(tag.removeprefix("W/") == etag for tag in known)


def _picture_headers(etag: str, seq: int) -> tuple[tuple[str, str], ...]:
    return (("ETag", etag), ("Content-Type", "image/png"), ("Cache-Control", "no-cache"), ("X-Canvas-Seq", str(seq)))


def _json(status: int, value: dict[str, object]) -> Response:
    headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
    return Response(status, headers, orjson.dumps(value) + b"\n")
