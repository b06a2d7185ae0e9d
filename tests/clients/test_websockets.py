"""The `websockets` package: text, binary, fragments, pings, compression with every window, and a clean end."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.clients.messages import BINARIES, FRAGMENTS, TEXTS
from tests.support.served import Served

EXTENSIONS = {
    "plain": None,
    "default": [ClientPerMessageDeflateFactory(client_max_window_bits=True)],
    "no takeover": [ClientPerMessageDeflateFactory(True, True, 15, 15)],
    **{f"{bits} bits": [ClientPerMessageDeflateFactory(False, False, bits, bits)] for bits in range(9, 16)},
}


@pytest.mark.parametrize("extensions", EXTENSIONS.values(), ids=EXTENSIONS.keys())
def test_everything_comes_back(server: Served, extensions: list[ClientPerMessageDeflateFactory] | None) -> None:
    async def talk() -> None:
        async with connect(
            server.echo, compression=None, extensions=extensions, max_size=None, ping_interval=None, proxy=None
        ) as client:
            assert bool(client.protocol.extensions) is (extensions is not None)
            messages: list[str | bytes] = [*TEXTS, *BINARIES]
            for message in messages:
                await client.send(message)
                assert await client.recv() == message
            await client.send(FRAGMENTS)
            assert await client.recv() == "".join(FRAGMENTS)
            await client.send([part.encode() for part in FRAGMENTS])
            assert await client.recv() == "".join(FRAGMENTS).encode()
            await (await client.ping(b"data"))
        assert (client.close_code, client.protocol.close_rcvd_then_sent) == (1000, False)

    asyncio.run(talk())
