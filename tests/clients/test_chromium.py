"""Chromium's WebSocket: text, binary, compression, and the closing handshake. A page cannot fragment or ping."""

import base64
from typing import Any

from playwright.sync_api import sync_playwright

from tests.clients.messages import BINARIES, TEXTS
from tests.support.served import Served

TALK = """
async ([url, texts, binaries]) => {
    const client = new WebSocket(url);
    client.binaryType = "arraybuffer";
    const heard = [];
    await new Promise((resolve, reject) => { client.onopen = resolve; client.onerror = reject; });
    const closed = new Promise((resolve) => { client.onclose = resolve; });
    const all = new Promise((resolve) => {
        client.onmessage = (event) => {
            heard.push(event.data);
            if (heard.length === texts.length + binaries.length) resolve();
        };
    });
    for (const text of texts) client.send(text);
    for (const data of binaries) client.send(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)));
    await all;
    client.close(4002, "bye");
    const { code, wasClean } = await closed;
    const base64 = (buffer) => {
        let text = "";
        for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
        return btoa(text);
    };
    return {
        code, wasClean, extensions: client.extensions,
        texts: heard.filter((data) => typeof data === "string"),
        binaries: heard.filter((data) => typeof data !== "string").map(base64),
    };
}
"""


def test_everything_comes_back(server: Served, chromium: dict[str, Any]) -> None:
    binaries = [base64.b64encode(data).decode() for data in BINARIES]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/healthz")  # a page of the same origin, without a policy
        told = page.evaluate(TALK, [server.echo, TEXTS, binaries])
        browser.close()
    assert "permessage-deflate" in told["extensions"]
    assert (told["texts"], told["binaries"]) == (TEXTS, binaries)
    assert (told["code"], told["wasClean"]) == (4002, True)
