"""The canvas and the console behind nginx, Caddy and HAProxy, at the root or under a path, plain and with TLS."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, async_playwright, expect
from websockets.asyncio.client import connect

from supervision.console.console import LIMITS
from supervision.console.web.gate import COOKIE
from supervision.server import Proxies
from tests.support.console import Asker, console
from tests.support.proxies import PACKAGES, Mount, Proxy, proxy
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient

MOUNTS = {
    "at the root": Mount(False, ("", "/console")),
    "under paths over TLS": Mount(True, ("/fun/canvas", "/fun/console")),
    "under paths that are cut off": Mount(False, ("/canvas", "/admin"), is_cut=True),
}
TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TRUSTING.check_hostname, TRUSTING.verify_mode = False, ssl.CERT_NONE
expect.set_options(timeout=30_000)
PROXIES = pytest.mark.parametrize("name", PACKAGES)
EVERYWHERE = pytest.mark.parametrize("mount", MOUNTS.values(), ids=MOUNTS.keys())


def upload(url: str, token: str, pieces: Iterable[bytes]) -> int:
    """Send a body in chunks (RFC 9112 §7.1) and return the status of the answer."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    if parts.scheme == "https":
        connection: HTTPConnection = HTTPSConnection(parts.hostname, parts.port, context=TRUSTING)
    else:
        connection = HTTPConnection(parts.hostname, parts.port)
    with contextlib.closing(connection):
        headers = {"Authorization": f"Bearer {token}", "Transfer-Encoding": "chunked"}
        connection.request("POST", parts.path, iter(pieces), headers, encode_chunked=True)
        return connection.getresponse().status


@contextlib.asynccontextmanager
async def behind(name: str, mount: Mount, folder: Path) -> AsyncIterator[tuple[Asker, Proxy]]:
    """Run a canvas with a console behind a proxy."""
    canvas_path, console_path = mount.base
    options = {"base_path": canvas_path, "console_base_path": console_path, "echo": True}
    async with console(folder, **options, trusted_proxy=Proxies.parse(["127.0.0.1"])) as ann:
        with proxy(name, mount, ann.application.sockets.port, ann.port) as running:
            yield ann, running


@contextlib.asynccontextmanager
async def browser(chromium: dict[str, Any]) -> AsyncIterator[BrowserContext]:
    """A browser that trusts all certificates."""
    async with async_playwright() as playwright, await playwright.chromium.launch(**chromium) as launched:
        yield await launched.new_context(ignore_https_errors=True)


@PROXIES
@EVERYWHERE
@live
async def test_page_paints_and_is_known_again(
    tmp_path: Path, chromium: dict[str, Any], name: str, mount: Mount
) -> None:
    async with behind(name, mount, tmp_path) as (ann, running), browser(chromium) as context:
        watcher = await WebSocketClient.open(ann.application)
        page = await context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.append(f"{request.url} {request.failure}"))
        await page.goto(running.canvas)
        await expect(page.get_by_test_id("status")).to_have_attribute("data-status", "live")
        await page.mouse.click(400, 300)
        await watcher.until(lambda: watcher.screen.seq == 1, "for a pixel")
        (cookie,) = await context.cookies()
        assert cookie["path"] == urlsplit(running.canvas).path
        assert cookie["secure"] == mount.is_tls
        user = cookie["value"].partition(".")[0]
        assert user in watcher.screen.users
        await page.reload()
        await expect(page.get_by_test_id("status")).to_have_attribute("data-status", "live")
        assert [(one["name"], one["value"]) for one in await context.cookies()] == [(cookie["name"], cookie["value"])]
        response = await page.request.get(f"{running.canvas}api/canvas.png")
        assert (response.status, response.headers["x-canvas-seq"]) == (200, "1")
        assert problems == []
        await watcher.leave()


@PROXIES
@EVERYWHERE
@live
async def test_large_messages_and_bodies_of_unknown_length_pass(tmp_path: Path, name: str, mount: Mount) -> None:
    async with behind(name, mount, tmp_path) as (ann, running):
        url = "ws" + running.canvas.removeprefix("http") + "echo"
        async with connect(url, ssl=TRUSTING if mount.is_tls else None, proxy=None, max_size=None) as socket:
            message = bytes(range(256)) * 8_192
            await socket.send([message[: len(message) // 2], message[len(message) // 2 :]])
            assert await socket.recv() == message
        token = ann.token or ""
        for blanks, status in ((20_000, 200), (LIMITS.body, 413)):
            pieces = [b'{"role":', b" " * blanks, b'"look"}']
            assert await asyncio.to_thread(upload, f"{running.console}api/v1/links", token, pieces) == status


@PROXIES
@EVERYWHERE
@live
async def test_console_is_logged_in_to_and_logged_out_of(
    tmp_path: Path, chromium: dict[str, Any], name: str, mount: Mount
) -> None:
    async with behind(name, mount, tmp_path) as (ann, running), browser(chromium) as context:
        page = await context.new_page()
        await page.goto(running.console)
        await page.get_by_label("Token").fill(ann.token or "")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_test_id("status")).to_have_attribute("data-status", "live")
        assert page.url == running.console
        (cookie,) = await context.cookies()
        prefix = "__Secure-" if mount.is_tls else ""
        assert (cookie["name"], cookie["secure"]) == (f"{prefix}{COOKIE}_{ann.port}", mount.is_tls)
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_label("Token")).to_be_visible()
        assert await context.cookies() == []
