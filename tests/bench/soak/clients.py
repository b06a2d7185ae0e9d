"""Clients that come, misbehave and go, each in its own way, as a seed draws it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import struct
from collections import Counter
from collections.abc import Awaitable, Callable

from canvas.live import recent_changes, recent_users
from protocol import Opcode, encode_frame
from tests.bench.soak.client import Client, Refused

LONGEST_STAY = 75.0
"""Seconds: longer than the server waits for a client that takes nothing, or does not answer a ping."""
MEAN_STAY = 8.0
COLUMNS, FIRST_ROW, ROWS = 256, 100, 10
"""Where they paint: few enough pixels that the canvas is soon full, and none of those of `canopy load`."""

CHANGES, VISITORS = recent_changes.REMEMBERED + recent_changes.RUN, recent_users.REMEMBERED
"""What the server remembers, in memory, at most."""
BURST = 200
"""Pixels that one user may paint at once."""
ABREAST = 10
ACK = b"\x82\x0d\x88\0\0\0\0"
"""The beginning of the frame that acknowledges message 0."""

Way = Callable[[Client], Awaitable[None]]


async def behaves(client: Client) -> None:
    """Paint, point and read, and leave with a close frame."""
    await client.join()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(client.receive_all())
        for number in range(client.chance.randint(1, 20)):
            await client.send(client.pixel(*_cell(client), _color(client), number))
            await client.send(client.cursor(*_cell(client)))
            await asyncio.sleep(client.chance.uniform(0.1, 1.0))
        await client.send(client.frame(Opcode.CLOSE, (1000).to_bytes(2, "big")))
        with contextlib.suppress(ConnectionError):
            await reading


async def never_reads(client: Client) -> None:
    """Join, paint, and read nothing."""
    await client.open()
    await client.send(client.handshake())
    await client.send(client.pixel(*_cell(client), _color(client)))
    await asyncio.sleep(LONGEST_STAY)


async def reads_a_byte_a_second(client: Client) -> None:
    """Join, and read too slowly to stay."""
    await client.open()
    await client.send(client.handshake())
    while await client.receive(1):
        await asyncio.sleep(1.0)


async def sends_half_a_head(client: Client) -> None:
    """Connect and send nothing, or some of a request."""
    await client.open()
    head = client.handshake()
    await client.send(head[: client.chance.choice((0, 1, len(head) // 2, len(head) - 1))])
    await asyncio.sleep(LONGEST_STAY)


async def pipelines(client: Client) -> None:
    """Send many requests at once, and read no answer."""
    await client.open()
    paths = ("/", "/api/canvas.png", "/api/pixel?x=0&y=0&limit=200", "/static/app.js", "/nothing")
    for _ in range(client.chance.randint(10, 200)):
        await client.send(f"GET {client.chance.choice(paths)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await asyncio.sleep(LONGEST_STAY)


async def never_ends_a_message(client: Client) -> None:
    """Join, and send fragment after fragment, slowly."""
    await client.join()
    opcode = Opcode.BINARY if client.is_binary else Opcode.TEXT
    size = client.chance.choice((0, 1, 1_000, 16_000))
    while True:
        await client.send(client.frame(opcode, b" " * size, fin=False))
        opcode = Opcode.CONTINUATION
        await asyncio.sleep(0.2)


async def floods(client: Client) -> None:
    """Paint and point beyond the rate limit, and read what comes of it, if at all."""
    await client.join()
    count = client.chance.randint(300, 1_500)
    messages = [client.pixel(*_cell(client), _color(client), number) for number in range(count)]
    await client.send(b"".join(messages))
    await client.send(b"".join(client.cursor(*_cell(client)) for _ in range(count)))
    if client.chance.random() < 0.5:
        await client.receive_all()
    await asyncio.sleep(LONGEST_STAY)


async def breaks_the_protocol(client: Client) -> None:
    """Send a frame or a message that RFC 6455 or the canvas forbids, now and then another one."""
    await client.join()
    text = json.dumps({"type": "pixel_update", "x": -1, "y": 10**30, "color": "red", "id": 7}).encode()
    bad = (
        encode_frame(Opcode.TEXT, b"unmasked"),
        b"\x83\x80\0\0\0\0",  # an opcode that there is none of
        b"\xc1\x85\0\0\0\0\xff\xff\xff\xff\xff",  # compressed, and no deflate
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",  # 8 EiB
        b"\x09\x80\0\0\0\0",  # a ping in fragments
        b"\x88\x81\0\0\0\0\x03",  # a close code of one byte
        client.frame(Opcode.CONTINUATION, b"of nothing"),
        client.frame(Opcode.TEXT, b"\xff\xfe"),
        client.frame(Opcode.TEXT, b"[" * 60_000),
        client.frame(Opcode.TEXT, text),
        client.frame(Opcode.BINARY, client.chance.randbytes(200)),
        client.frame(Opcode.PONG, b"to no ping"),
        client.frame(Opcode.PING, b"x" * 125) * 50,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(client.receive_all())
        while True:
            await client.send(client.chance.choice(bad))
            await asyncio.sleep(client.chance.uniform(0.0, 1.0))


async def inflates(client: Client) -> None:
    """Send messages that inflate to far more than is allowed."""
    client.is_compressed = True
    await client.join()
    await client.send(client.message(b"\0" * client.chance.choice((60_000, 70_000, 30_000_000))))
    await client.receive_all()


async def resets(client: Client) -> None:
    """Connect and reset at once, or in the middle of a handshake, or as soon as it is done."""
    await client.open()
    head = client.handshake()
    await client.send(head[: client.chance.choice((0, len(head) // 2, len(head)))])
    await asyncio.sleep(client.chance.choice((0.0, 0.001, 0.02)))
    client.reset()


async def vanishes(client: Client) -> None:
    """Join, paint, and be gone: from then on nothing is read or answered."""
    await client.join()
    for _ in range(client.chance.randint(1, 50)):
        await client.send(client.pixel(*_cell(client), _color(client)))
    if client.chance.random() < 0.5:
        client.reset()
    else:
        await asyncio.sleep(LONGEST_STAY)


async def asks_and_leaves(client: Client) -> None:
    """Ask for a picture, a history, a page; read all, some or nothing of it."""
    await client.open()
    x, y = _cell(client)
    for _ in range(client.chance.randint(1, 5)):
        paths = (f"/api/pixel?x={x}&y={y}&limit=200", "/api/canvas.png", "/api/canvas.png?every=7", "/", "/healthz")
        await client.send(f"GET {client.chance.choice(paths)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        for _ in range(client.chance.choice((0, 1, 5))):
            async with asyncio.timeout(1.0):
                await client.receive(1_000)


async def resumes_from_nonsense(client: Client) -> None:
    """Say to have seen changes that there never were."""
    epoch = client.chance.choice(("", "x" * 1_000, "0" * 32, "%00"))
    seq = client.chance.choice(("-1", "0", "1e9", str(2**64), "9" * 500, "x"))
    await client.join(f"?epoch={epoch}&seq={seq}")
    await client.receive_all()


async def subscribes(client: Client) -> None:
    """Subscribe to large parts of the canvas, again and again, and read slowly."""
    await client.join(client.chance.choice(("", "?x=0&y=0&width=99999&height=99999")))
    while True:
        x, y = client.chance.randint(0, 999), client.chance.randint(0, 999)
        await client.send(client.subscription(x, y, 1_000 - x, 1_000 - y) * client.chance.randint(1, 20))
        await client.send(client.subscription(0, 0, client.chance.choice((1_000, 1_001, 65_535)), 1_000))
        await client.receive(20_000)
        await asyncio.sleep(0.5)


WAYS: tuple[Way, ...] = (
    *(behaves, never_reads, reads_a_byte_a_second, sends_half_a_head, pipelines, never_ends_a_message, floods),
    *(breaks_the_protocol, inflates, resets, vanishes, asks_and_leaves, resumes_from_nonsense, subscribes),
)


class Crowd:
    """Some seats, on each of which one client after the other comes, stays a while and goes.

    Args:
        port: where the server listens
        seats: clients at a time
        seed: what they draw from, so that a run can be repeated

    Attributes:
        visits: how many clients came in each way
        ended: how many of them the server sent away, or refused
    """

    def __init__(self, port: int, seats: int, seed: int) -> None:
        self._port = port
        self._seats = seats
        self._seed = seed
        self.visits: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    async def misbehave(self) -> None:
        """Come and go until cancelled."""
        async with asyncio.TaskGroup() as group:
            for seat in range(self._seats):
                group.create_task(self._fill(random.Random(f"{self._seed} {seat}")))

    async def _fill(self, chance: random.Random) -> None:
        while True:
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            await self._visit(chance.choice(WAYS), Client(self._port, random.Random(chance.random())), chance)

    async def _visit(self, way: Way, client: Client, chance: random.Random) -> None:
        stay = min(chance.expovariate(1 / MEAN_STAY), LONGEST_STAY)
        self.visits[way.__name__] += 1
        try:
            async with asyncio.timeout(stay):
                await way(client)
        except* TimeoutError:
            pass  # it leaves by itself
        except* (OSError, Refused):
            self.ended[way.__name__] += 1
        finally:
            leave = client.reset if chance.random() < 0.5 else client.close
            leave()


async def fill(port: int) -> None:
    """Have the server remember as many changes and visitors as it ever does, so that its memory has its full size.

    Args:
        port: where it listens
    """
    numbers = iter(range(VISITORS))

    async def come() -> None:
        for number in numbers:
            client = Client(port, random.Random(number))
            client.is_binary, client.is_compressed = True, False
            await client.join()
            if number >= VISITORS - CHANGES // BURST:  # the others see a small canvas
                pixels = b"".join(
                    struct.pack("<HH", at % COLUMNS, FIRST_ROW + at // COLUMNS) + (number + 1).to_bytes(3, "big")
                    for at in range(BURST)
                )
                await client.send(client.message(struct.pack("<BI", 4, 0) + pixels))
                received = b""
                while ACK not in received:
                    received = received[-len(ACK) :] + await client.receive()
            client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(ABREAST):
            group.create_task(come())


def _cell(client: Client) -> tuple[int, int]:
    return client.chance.randrange(COLUMNS), FIRST_ROW + client.chance.randrange(ROWS)


def _color(client: Client) -> int:
    return client.chance.randrange(1 << 24)
