"""picows: text, binary, fragments, pings, and the closing handshake. It never offers compression."""

import asyncio

import pytest

picows = pytest.importorskip("picows", reason="picows is not for this system")

from tests.clients.messages import BINARIES, FRAGMENTS, TEXTS  # noqa: E402
from tests.support.served import Served  # noqa: E402


class Listener(picows.WSListener):  # type: ignore[misc,name-defined]
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[object, bytes]] = asyncio.Queue()

    def on_ws_frame(self, transport: object, frame: object) -> None:
        """Take one frame; the server sends no fragments."""
        assert frame.fin  # type: ignore[attr-defined]
        self.heard.put_nowait((frame.msg_type, frame.get_payload_as_bytes()))  # type: ignore[attr-defined]


def test_everything_comes_back(server: Served) -> None:
    async def talk() -> None:
        kinds = picows.WSMsgType
        transport, listener = await picows.ws_connect(Listener, server.echo)
        for text in TEXTS:
            transport.send(kinds.TEXT, text.encode())
            assert await listener.heard.get() == (kinds.TEXT, text.encode())
        for data in BINARIES:
            transport.send(kinds.BINARY, data)
            assert await listener.heard.get() == (kinds.BINARY, data)
        parts = [part.encode() for part in FRAGMENTS]
        transport.send(kinds.TEXT, parts[0], False)
        for part in parts[1:]:
            transport.send(kinds.CONTINUATION, part, part is parts[-1])
        assert await listener.heard.get() == (kinds.TEXT, b"".join(parts))
        transport.send_ping(b"data")
        assert await listener.heard.get() == (kinds.PONG, b"data")
        transport.send_close(picows.WSCloseCode.OK, b"bye")
        assert await listener.heard.get() == (kinds.CLOSE, b"\x03\xe8")
        await transport.wait_disconnected()

    asyncio.run(talk())
