"""`canopy load`: clients that paint on a running canvas and count failures. Plain asyncio, no actors."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from protocol import Opcode, encode_frame
from protocol.frames import parse_frame

Cell = tuple[int, int]

PATIENCE = 15.0
"""Seconds to wait for the last acknowledgements, and for every client to see the last changes."""
RETRY_AFTER = 0.25
"""Seconds until a refused pixel is painted again, unless the server says how long to wait."""


@dataclass
class Report:
    """What `paint` counted."""

    clients: int = 0
    seconds: float = 0.0
    painted: int = 0
    acknowledged: int = 0
    shown_again: int = 0
    refused: int = 0
    disconnects: int = 0
    lost: int = 0
    unanswered: int = 0
    divergent: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether there were no failures."""
        return self.disconnects == self.lost == self.unanswered == self.divergent == 0

    def lines(self) -> Iterator[str]:
        """Yield the lines of a human-readable report."""
        times = sorted(self.latencies) or [0.0]
        middle, high = times[len(times) // 2], times[len(times) * 99 // 100]
        yield f"{self.clients} clients painted {self.painted} pixels in {self.seconds:.1f} s"
        yield f"{self.acknowledged} acknowledged, half of them in {middle * 1000:.1f} ms, 99% in {high * 1000:.1f} ms"
        yield f"{self.shown_again} new snapshots after a crash, {self.refused} errors"
        yield f"{self.disconnects} disconnects"
        yield f"{self.lost} acknowledged pixels lost"
        yield f"{self.unanswered} pixels never acknowledged"
        yield f"{self.divergent} clients that see a different canvas"


@dataclass(slots=True)
class PendingPixel:
    """A pixel that has not been acknowledged; `id` is None if it was refused and waits to be painted again."""

    color: str
    since: float
    id: int | None = None


class Painter:
    """One client: its copy of the canvas, and the pixels that it has painted."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.user_id = ""
        self.width = self.height = self.seq = 0
        self.pixels: dict[Cell, str] = {}
        self.kept: dict[Cell, str] = {}  # acknowledged, and not painted over by another client
        self.pending: dict[Cell, PendingPixel] = {}
        self.is_leaving = self.is_gone = False
        self.ready = asyncio.Event()
        self.changed = asyncio.Event()
        self._is_new = True
        self._ids = itertools.count()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def connect(self, url: str) -> None:
        """Open a WebSocket and wait for the first snapshot.

        Raises:
            OSError: if the server does not answer, or does not accept the WebSocket.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        reader, self._writer = await asyncio.open_connection(host, port)
        key = base64.b64encode(random.randbytes(16)).decode()
        self._writer.write(
            f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            raise ConnectionError(f"{url} closed the connection") from None
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"{url} answers {head.splitlines()[0].decode(errors='replace')}")
        self._reading = asyncio.create_task(self._read(reader))
        async with asyncio.timeout(PATIENCE):
            await self.ready.wait()

    def paint(self, cell: Cell, color: str) -> None:
        """Paint a pixel that is not pending."""
        self.report.painted += 1
        self.pending[cell] = PendingPixel(color, asyncio.get_running_loop().time())
        self._send(cell)

    async def leave(self) -> None:
        """Close the WebSocket."""
        self.is_leaving = True
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode_frame(Opcode.CLOSE, (1000).to_bytes(2, "big"), mask=random.randbytes(4)))
            with contextlib.suppress(OSError):
                self._writer.close()
                await self._writer.wait_closed()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))

    async def wait_for_seq(self, seq: int) -> None:
        """Wait until the client has seen change `seq`, or the connection has ended."""
        while self.seq < seq and not self.is_gone:
            self.changed.clear()
            await self.changed.wait()

    async def wait_for_answers(self) -> None:
        """Wait until no pixel is pending, or the connection has ended."""
        while self.pending and not self.is_gone:
            self.changed.clear()
            await self.changed.wait()

    def _send(self, cell: Cell) -> None:
        pixel = self.pending[cell]
        pixel.id = next(self._ids)
        if self._writer is not None and not self._writer.is_closing():
            message = {"type": "pixel_update", "x": cell[0], "y": cell[1], "color": pixel.color, "id": pixel.id}
            self._writer.write(encode_frame(Opcode.TEXT, json.dumps(message).encode(), mask=random.randbytes(4)))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        inbox = b""
        with contextlib.suppress(OSError):
            while data := await reader.read(256 * 1024):
                inbox += data
                position = 0
                while position < len(inbox) and (parsed := parse_frame(inbox, position, masked=False)) is not None:
                    frame, position = parsed
                    if frame.opcode is Opcode.TEXT:
                        self._take(json.loads(frame.payload))
                    elif frame.opcode is Opcode.PING and self._writer is not None:
                        self._writer.write(encode_frame(Opcode.PONG, frame.payload, mask=random.randbytes(4)))
                inbox = inbox[position:]
                self.changed.set()
        self.is_gone = True
        self.changed.set()
        if not self.is_leaving:
            self.report.disconnects += 1

    def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "welcome":
                self.user_id = message["user_id"]
                self.width, self.height = message["width"], message["height"]
            case "canvas_state":
                self._show(message)
            case "pixel_changed":
                self._change(message)
            case "ack":
                self._acknowledge_id(message["id"])
            case "error":
                self.report.refused += 1
                cell = message.get("x"), message.get("y")
                if cell in self.pending and self.pending[cell].id == message.get("id"):
                    self.pending[cell].id = None  # a later ack of this id does not cover the refused pixel
                    wait = message.get("retry_after", RETRY_AFTER)
                    asyncio.get_running_loop().call_later(wait, self._paint_again, cell)

    def _show(self, message: dict[str, Any]) -> None:
        """Take over a snapshot: the first one, or one after a crash, which may have swallowed pending pixels."""
        self.pixels = {(pixel["x"], pixel["y"]): pixel["color"] for pixel in message["pixels"]}
        self.seq = message["seq"]
        self.report.shown_again += not self._is_new
        self._is_new = False
        self.ready.set()
        for cell, pixel in list(self.pending.items()):
            if self.pixels.get(cell) == pixel.color:
                self._acknowledge(cell)
            else:
                self._send(cell)

    def _change(self, message: dict[str, Any]) -> None:
        cell, color = (message["x"], message["y"]), message["color"]
        self.pixels[cell] = color
        self.seq = message["seq"]
        if message["user_id"] != self.user_id:
            self.kept.pop(cell, None)

    def _acknowledge_id(self, id_: int) -> None:
        cell = next((cell for cell, pixel in self.pending.items() if pixel.id == id_), None)
        if cell is not None:
            self._acknowledge(cell)

    def _acknowledge(self, cell: Cell) -> None:
        pixel = self.pending.pop(cell)
        self.kept[cell] = pixel.color
        self.report.acknowledged += 1
        self.report.latencies.append(asyncio.get_running_loop().time() - pixel.since)

    def _paint_again(self, cell: Cell) -> None:
        """Paint a refused pixel again, unless it has been sent again meanwhile."""
        if cell in self.pending and self.pending[cell].id is None:
            self._send(cell)


async def paint(url: str, clients: int, seconds: float, rate: float) -> Report:
    """Paint with `clients` clients for `seconds`, at `rate` pixels per second each; then compare what they see.

    Raises:
        OSError: if no server answers at `url`.
    """
    report = Report(clients=clients)
    painters = [Painter(report) for _ in range(clients)]
    loop = asyncio.get_running_loop()
    try:
        for painter in painters:
            await painter.connect(url)
        begin = loop.time()
        await asyncio.gather(*(_keep_painting(p, n, clients, begin + seconds, rate) for n, p in enumerate(painters)))
        report.seconds = loop.time() - begin
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(painter.wait_for_answers() for painter in painters))
        await _compare(url, painters, report)
    finally:
        await asyncio.gather(*(painter.leave() for painter in painters))
    return report


async def _keep_painting(painter: Painter, number: int, clients: int, end: float, rate: float) -> None:
    """Paint cells that no other client of this run paints; repaint a cell only after its acknowledgement."""
    loop = asyncio.get_running_loop()
    count = min(painter.width * painter.height, clients * 256)
    own = deque((at % painter.width, at // painter.width) for at in range(number, count, clients))
    colors = itertools.cycle(f"#{color:06X}" for color in range(1 + number, 0xFFFFFF, 7919))
    due = loop.time() + random.random() / rate
    while due < end:
        await asyncio.sleep(due - loop.time())
        due += 1 / rate
        cell = own[0]
        own.rotate(-1)
        if cell not in painter.pending:
            painter.paint(cell, next(colors))


async def _compare(url: str, painters: list[Painter], report: Report) -> None:
    """Compare every client's canvas with a fresh snapshot: count lost pixels, and clients that see something else."""
    fresh = Painter(report)
    await fresh.connect(url)
    try:
        for painter in painters:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await painter.wait_for_seq(fresh.seq)
        goal = max(painter.seq for painter in [*painters, fresh])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await fresh.wait_for_seq(goal)
        for painter in painters:
            report.unanswered += len(painter.pending)
            report.lost += sum(fresh.pixels.get(cell) != color for cell, color in painter.kept.items())
            report.divergent += painter.seq == fresh.seq and painter.pixels != fresh.pixels
            report.divergent += painter.seq < fresh.seq
    finally:
        await fresh.leave()
