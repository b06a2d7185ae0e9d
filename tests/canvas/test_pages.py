"""What the canvas answers over HTTP, on real sockets: handshakes right and wrong, the page, health and the picture."""

import asyncio
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from actors import whereis
from actors.debug import force_exit
from canvas.application import CanvasApplication
from canvas.web.routes import STATIC
from supervision.server import page_files
from tests.support.instance import mended, new_application, running
from tests.support.raw_socket import Answer, RawSocket, ask, get, handshake, request
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def answer_to(tmp_path: Path, data: bytes, *, to_head: bool = False, **options: Any) -> Answer:
    """Send one request to an application of its own; returns the response."""
    answers: list[Answer] = []

    @live
    async def scenario() -> None:
        async with running(new_application(tmp_path, **options)) as application:
            answers.append(await ask(application.sockets.port, data, to_head=to_head))

    scenario()
    return answers[0]


def test_escaped_path_is_the_path_it_stands_for(tmp_path: Path) -> None:
    answer = answer_to(tmp_path, request("GET", "/static/%61pp.js"))
    assert (answer.status, answer.body) == (200, (STATIC / "app.js").read_bytes())


# Handshakes.


def test_handshake_is_accepted_with_the_key_of_the_rfc(tmp_path: Path) -> None:
    answer = answer_to(tmp_path, handshake())
    assert answer.status == 101
    assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert "sec-websocket-protocol" not in answer.headers


@pytest.mark.parametrize(
    ("data", "status", "word"),
    [
        (handshake("POST"), 405, "GET"),
        (handshake("GET", "/ws", "HTTP/1.0"), 505, "HTTP/1.1"),
        (handshake("GET", "/ws", "HTTP/2.0"), 505, "HTTP"),
        (handshake(Upgrade=None), 426, "Upgrade"),
        (handshake(Upgrade="h2c"), 426, "Upgrade"),
        (handshake(Connection=None), 400, "Connection"),
        (handshake(Connection="keep-alive"), 400, "Connection"),
        (handshake(Host=None), 400, "Host"),
        (handshake(Sec_WebSocket_Key=None), 400, "Sec-WebSocket-Key"),
        (handshake(Sec_WebSocket_Key="short"), 400, "Sec-WebSocket-Key"),
        (handshake(Sec_WebSocket_Key=KEY + "AAAA"), 400, "Sec-WebSocket-Key"),
        (handshake(Sec_WebSocket_Version=None), 426, "Sec-WebSocket-Version"),
        (handshake(Sec_WebSocket_Version="8"), 426, "Sec-WebSocket-Version"),
        (handshake(Sec_WebSocket_Version="13, 8"), 426, "Sec-WebSocket-Version"),
        (handshake(Sec_WebSocket_Protocol="a,,"), 101, ""),
        (handshake(Sec_WebSocket_Protocol="a b"), 400, "Sec-WebSocket-Protocol"),
        (handshake(Sec_WebSocket_Extensions="x; ="), 400, "Sec-WebSocket-Extensions"),
        (handshake(Transfer_Encoding="gzip"), 501, "transfer coding"),
        (handshake(Content_Length="5") + b"hello", 400, "body"),
        (handshake(Content_Length="5000"), 413, "body"),
        (handshake(Content_Length="-1"), 400, "Content-Length"),
        (handshake(X="y" * 40_000), 431, "header"),
        (handshake("GET", "/ws?" + "q" * 9_000), 414, ""),
        (handshake(**{f"X{number}": "y" for number in range(101)}), 431, "header"),
        (handshake("BREW POT"), 400, ""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n" * 2, 400, ""),  # TLS on a plain port
        (b"GET /ws HTTP/1.1\r\nHost : a\r\n\r\n", 400, ""),
        (b"GET /ws HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host"),
        (b"GET /ws HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400, ""),
    ],
    ids=lambda part: repr(part[:40]) if isinstance(part, bytes) else str(part),
)
def test_malformed_handshake_gets_its_status_and_the_rule(tmp_path: Path, data: bytes, status: int, word: str) -> None:
    answer = answer_to(tmp_path, data)
    assert answer.status == status
    assert word.lower() in answer.body.decode().lower()
    if status == 426 and word == "Sec-WebSocket-Version":
        assert answer.headers["sec-websocket-version"] == "13"
    if status == 426 and word == "Upgrade":
        assert answer.headers["upgrade"] == "websocket"
    if status == 405:
        assert answer.headers["allow"] == "GET"


def test_echo_is_there_only_when_asked_for(tmp_path: Path) -> None:
    assert answer_to(tmp_path, handshake("GET", "/echo")).status == 404
    assert answer_to(tmp_path, handshake("GET", "/echo"), echo=True).status == 101


# The page.


async def same_connection(application: CanvasApplication, *requests: tuple[bytes, bool]) -> list[Answer]:
    """Send requests one after the other on one connection."""
    async with await RawSocket.open(application.sockets.port) as raw:
        answers = []
        for data, is_head in requests:
            raw.send(data)
            answers.append(await raw.answer(to_head=is_head))
        return answers


@live
async def test_page_and_all_its_files_are_served(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        port = application.sockets.port
        page = await get(port, "/")
        assert page.status == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.body == (STATIC / "index.html").read_bytes()
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        files = dict(page_files(STATIC))
        assert len(files) > 10
        assert {"/static/app.js", "/static/net/session.js", "/static/shared/toast.js"} < files.keys()
        for url, path in files.items():
            answer = await get(port, f"{url}?v=1")
            assert (answer.status, answer.body) == (200, path.read_bytes())
            kind = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
            assert answer.headers["content-type"].startswith(kind[path.suffix])


@live
async def test_page_names_only_files_that_are_there(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        port = application.sockets.port
        page = (await get(port, "/")).body.decode()
        for quoted in page.split('"')[1::2]:
            if quoted.startswith("/static/"):
                assert (await get(port, quoted)).status == 200, quoted


def test_page_loads_all_its_modules_at_once() -> None:
    modules = {url.removeprefix("/") for url, path in page_files(STATIC) if path.suffix == ".js"}
    preloaded = re.findall(r'rel="modulepreload" href="([^"]+)"', (STATIC / "index.html").read_text())
    assert sorted(preloaded) == sorted(modules - {"static/start.js"})


@live
async def test_file_the_client_has_is_not_sent_again(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        port = application.sockets.port
        etag = (await get(port, "/")).headers["etag"]
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            answer = await get(port, "/", If_None_Match=known)
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
        assert (await get(port, "/", If_None_Match='"other"')).status == 200
        assert (await get(port, "/static/style.css", If_None_Match=etag)).status == 200


@live
async def test_file_that_is_not_the_one_the_client_wants_is_refused(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        port = application.sockets.port
        for path in ("/", "/static/style.css", "/api/canvas.png"):
            etag = (await get(port, path)).headers["etag"]
            for wanted in (etag, f'"other", {etag}', "*"):
                assert (await get(port, path, If_Match=wanted)).status == 200
                assert (await get(port, path, If_Match=wanted, If_None_Match=etag)).status == 304
            for wanted in ('"other"', f"W/{etag}", "other"):
                answer = await get(port, path, If_Match=wanted, If_None_Match=etag)
                assert (answer.status, answer.headers["etag"]) == (412, etag)


@live
async def test_head_is_answered_like_get_without_the_body(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        for path in ("/", "/static/app.js", "/healthz", "/api/canvas.png"):
            data = [(request(method, path), method == "HEAD") for method in ("GET", "HEAD", "GET")]
            got, head, again = await same_connection(application, *data)
            assert (head.status, head.body) == (200, b"")
            assert head.headers["content-length"] == str(len(got.body))
            assert head.headers.get("etag") == got.headers.get("etag")
            assert again.body == got.body


@pytest.mark.parametrize(
    "target",
    [
        "/static/../canvas/cli.py", "/static/%2e%2e/config.py", "/static/..%2fconfig.py", "/../../../etc/passwd",
        "/static//etc/passwd", "//etc/passwd", "/static/%00", "/static/", "/static", "/static/app.js/", "/index.html",
        "/static/..\\config.py", "/static/%5c..%5cconfig.py", "/static/./app.js", "/nowhere",
        "http://elsewhere/etc/passwd", "/STATIC/app.js",
    ],
)  # fmt: skip
def test_nothing_but_the_page_can_be_reached(tmp_path: Path, target: str) -> None:
    answer = answer_to(tmp_path, request("GET", target))
    assert answer.status in (400, 404)
    assert b"root:" not in answer.body
    assert b"import" not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused_with_those_allowed(tmp_path: Path, method: str) -> None:
    answer = answer_to(tmp_path, request(method, "/"))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@live
async def test_absolute_target_means_its_path(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        assert (await get(application.sockets.port, "http://127.0.0.1/healthz")).status == 200


# Health.


@live
async def test_health_tells_what_runs(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        answer = await get(application.sockets.port, "/healthz")
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert json.loads(answer.body)["store"] == "memory"


@live
async def test_health_is_503_while_the_database_is_lost_and_painting_is_refused(tmp_path: Path) -> None:
    database, away = tmp_path / "canvas.db", tmp_path / "away.db"
    async with running(new_application(tmp_path, store="sqlite")) as application:
        port = application.sockets.port
        ann = await WebSocketClient.open(application)
        ann.paint(1, 1, "#FF0000")
        await ann.until(lambda: ann.screen.seq == 1)
        assert (await get(port, "/healthz")).status == 200
        database.rename(away)
        answer = await get(port, "/healthz")
        assert answer.status == 503
        assert json.loads(answer.body)["error"] == "the database was deleted, moved or replaced"
        ann.paint(2, 1, "#FF0000")
        assert (await ann.error())["code"] == "store_unavailable"
        away.rename(database)
        assert (await get(port, "/healthz")).status == 200
        ann.paint(3, 1, "#FF0000")
        await ann.until(lambda: ann.screen.pixels == {(1, 1): "#FF0000", (3, 1): "#FF0000"})


@live
async def test_ready_until_the_server_drains(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application, await RawSocket.open(application.sockets.port) as raw:
        raw.send(request("GET", "/readyz"))
        assert (await raw.answer()).status == 200
        application.sockets.prepare_stop()
        raw.send(request("GET", "/readyz"))
        answer = await raw.answer()
        assert (answer.status, json.loads(answer.body)) == (503, {"status": "draining"})
        assert answer.headers["connection"] == "close"


# The picture.


def colors(png: bytes) -> dict[tuple[int, int], str]:
    """The pixels of a picture that are not white."""
    image: Any = Image.open(io.BytesIO(png)).convert("RGB")
    assert image.size == (32, 16)
    return {
        (x, y): "#{:02X}{:02X}{:02X}".format(*color)
        for x in range(32)
        for y in range(16)
        if (color := image.getpixel((x, y))) != (255, 255, 255)
    }


@live
async def test_picture_shows_what_clients_see(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        port = application.sockets.port
        empty = await get(port, "/api/canvas.png")
        assert (empty.status, empty.headers["content-type"], empty.headers["x-canvas-seq"]) == (200, "image/png", "0")
        assert colors(empty.body) == {}
        ann = await WebSocketClient.open(application)
        for number in range(30):
            ann.paint(number, number % 16, f"#{number * 3_000:06X}")
        await ann.until(lambda: ann.screen.seq == 30)
        picture = await get(port, "/api/canvas.png", If_None_Match=empty.headers["etag"])
        assert (picture.status, picture.headers["x-canvas-seq"]) == (200, "30")
        assert colors(picture.body) == ann.screen.pixels
        assert (await get(port, "/api/canvas.png", If_None_Match=picture.headers["etag"])).status == 304


@live
async def test_step_of_a_picture_is_a_number_from_1_to_100_and_is_read_whole(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        for step, status in {"1": 200, "100": 200, "050": 200, "0": 400, "101": 400, "00501": 400, "-1": 400}.items():
            answer = await get(application.sockets.port, f"/api/canvas.png?every={step}")
            assert answer.status == status, step


@live
async def test_pictures_asked_for_at_once_are_all_given(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        ann = await WebSocketClient.open(application)
        ann.paint(0, 0, "#000000")
        await ann.until(lambda: ann.screen.seq == 1)
        answers = await asyncio.gather(*(get(application.sockets.port, "/api/canvas.png") for _ in range(20)))
        assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}


@pytest.mark.parametrize("name", ["canvas", "images"])
def test_picture_is_there_again_after_a_crash(tmp_path: Path, name: str) -> None:
    @live
    async def scenario() -> None:
        async with running(new_application(tmp_path)) as application:
            for _ in range(3):
                asked = asyncio.ensure_future(get(application.sockets.port, "/api/canvas.png"))
                await asyncio.sleep(0)
                ref = whereis(name)
                assert ref is not None
                force_exit(ref, "crash")
                assert (await asked).status in (200, 500, 503)
                await mended(application)
                assert (await get(application.sockets.port, "/api/canvas.png")).status == 200

    scenario()
