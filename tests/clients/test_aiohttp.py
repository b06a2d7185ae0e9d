"""aiohttp's client: text, binary, pings, compression, and the closing handshake. It cannot send fragments."""

import asyncio

import pytest
from aiohttp import ClientSession, WSMsgType

from tests.clients.messages import BINARIES, TEXTS
from tests.support.served import Served


@pytest.mark.parametrize("bits", [0, 9, 12, 15])
def test_everything_comes_back(server: Served, bits: int) -> None:
    async def talk() -> None:
        async with ClientSession() as session, session.ws_connect(server.echo, compress=bits, autoping=False) as client:
            assert bool(client.compress) is bool(bits)
            for text in TEXTS:
                await client.send_str(text)
                assert await client.receive_str() == text
            for data in BINARIES:
                await client.send_bytes(data)
                assert await client.receive_bytes() == data
            await client.ping(b"data")
            pong = await client.receive()
            assert (pong.type, bytes(pong.data)) == (WSMsgType.PONG, b"data")
            assert await client.close(code=4000, message=b"bye")
            assert client.close_code == 4000

    asyncio.run(talk())
