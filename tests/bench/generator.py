"""One process that plays all the clients: told what to do on stdin, a line of JSON each, it answers likewise on stdout.

It reads with one `recv` per ready socket and counts bytes, not frames: an echo's reply has a known size, and in the
canvas job each pixel event holds exactly one `#`, which nothing else that is sent during a round does. What it
counts so cheaply it checks in full before each job: frames, types, coordinates, colours, one event per viewer.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from tests.bench.connections import (
    BINARY,
    TEXT,
    TIMEOUT,
    Broken,
    Group,
    masked_frame,
    parse_server_frames,
    send_all,
    server_frame,
)
from tests.bench.machine import cpu_seconds
from tests.bench.plan import SAMPLES

CHANGES: Final = 200
"""Different changes of each painter, which are built beforehand; the colour tells one from all others."""
PLACES: Final = 100
"""Pixels of each painter; there are fewer of them than changes, so that each change finds another colour there."""
QUIET: Final = 0.3
"""Seconds of silence after which everybody is taken to have arrived."""
_COLOR = re.compile(rb'"color":"#([0-9A-F]{6})"')
_LONGEST_EVENT: Final = 256


@dataclass(frozen=True, slots=True)
class Result:
    """One round.

    Attributes:
        count: messages that came back, or pixel events that were delivered
        seconds: how long it took
        server_cpu, generator_cpu: seconds
        p50, p99: microseconds from sending to receiving; None where no latency was taken
    """

    count: int
    seconds: float
    server_cpu: float
    generator_cpu: float
    p50: float | None
    p99: float | None


class Stopwatch:
    """Wall time, and the CPU time of the server and of this process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = self._read()

    def _read(self) -> tuple[float, float, float]:
        return time.perf_counter(), cpu_seconds(self._pid), time.process_time()

    def result(self, count: int, latencies: list[int]) -> Result:
        """What has happened since it was made; `latencies` in nanoseconds."""
        wall, server, own = (end - start for end, start in zip(self._read(), self._start, strict=True))
        latencies.sort()
        p50, p99 = (
            (latencies[len(latencies) // 2] / 1e3, latencies[len(latencies) * 99 // 100] / 1e3)
            if latencies
            else (None, None)
        )
        return Result(count, wall, server, own, p50, p99)


def echo(group: Group, pid: int, size: int, depth: int, warmup: float, seconds: float) -> Result:
    """Keep `depth` messages under way on every connection; take latencies if that is one."""
    payload = bytes(range(256)) * (size // 256 + 1)
    frame = masked_frame(BINARY, payload[:size])
    reply = server_frame(BINARY, payload[:size])
    _check_echo(group, frame, reply)
    frames = [frame * count for count in range(depth + 1)]
    arrived = dict.fromkeys(group.by_fd, 0)  # bytes of a reply that is not whole yet
    for opened in group.sockets:
        send_all(opened, frames[depth])
    sent = dict.fromkeys(group.by_fd, time.perf_counter_ns())
    latencies: list[int] = []

    def serve(duration: float) -> int:
        done, reply_size = 0, len(reply)
        poll, by_fd, buffer, now = group.epoll.poll, group.by_fd, group.buffer, time.perf_counter_ns
        is_timed = depth == 1
        end = now() + int(duration * 1e9)
        while now() < end:
            ready = poll(TIMEOUT)
            if not ready:
                raise Broken(f"no reply for {TIMEOUT:g} s")
            for fd, _ in ready:
                client = by_fd[fd]
                size = client.recv_into(buffer)
                if not size:
                    raise Broken("a connection was closed")
                count, arrived[fd] = divmod(arrived[fd] + size, reply_size)
                if count:
                    done += count
                    if is_timed:
                        latencies.append(now() - sent[fd])
                        sent[fd] = now()
                    send_all(client, frames[count])
        return done

    serve(warmup)
    latencies.clear()
    stopwatch = Stopwatch(pid)
    result = stopwatch.result(serve(seconds), latencies)
    _drain_echo(group, arrived, len(reply), depth)
    return result


def _check_echo(group: Group, frame: bytes, reply: bytes) -> None:
    """See that every connection gives back what it was sent."""
    for opened in group.sockets:
        send_all(opened, frame)
    got = dict.fromkeys(group.by_fd, b"")
    deadline = time.monotonic() + TIMEOUT
    while any(data != reply for data in got.values()):
        for fd, _ in group.epoll.poll(TIMEOUT):
            got[fd] += bytes(group.buffer[: group.receive(fd)])
        if time.monotonic() > deadline:
            raise Broken("the echo differs from what was sent")


def _drain_echo(group: Group, arrived: dict[int, int], reply_size: int, depth: int) -> None:
    """Wait for what is still under way, so that the next round begins in silence."""
    due = {fd: depth * reply_size - size for fd, size in arrived.items()}
    while any(due.values()):
        ready = group.epoll.poll(TIMEOUT)
        if not ready:
            raise Broken(f"{sum(due.values())} bytes of replies are missing")
        for fd, _ in ready:
            due[fd] -= group.receive(fd)


Update: TypeAlias = tuple[int, int, int]
"""The x, y and colour of a change."""


class Painter:
    """What one connection paints: its own pixels, again and again in the same order.

    A pixel that has its colour already is no change, and nobody is told of it. The server may read the connections in
    any order, so no two painters share a pixel.

    Attributes:
        updates: the changes
    """

    def __init__(self, number: int) -> None:
        self.updates: list[Update] = [
            (100 + index % PLACES, 500 + number, number * CHANGES + index) for index in range(CHANGES)
        ]
        messages = [b'{"type":"pixel_update","x":%d,"y":%d,"color":"#%06X"}' % update for update in self.updates]
        frames = [masked_frame(TEXT, message) for message in messages]
        self._size = len(frames[0])  # they are all of one size: a run of them is a slice
        self._frames = memoryview(b"".join(frames) * 2)
        self._next = 0

    @property
    def next(self) -> Update:
        """The change that `take` takes first."""
        return self.updates[self._next]

    def take(self, count: int) -> memoryview:
        """Take the frames of the next `count` changes, at most `CHANGES`."""
        begin = self._next
        self._next = (begin + count) % CHANGES
        return self._frames[begin * self._size : (begin + count) * self._size]


class Canvas:
    """The canvas job on a group whose first `painters` connections paint; all of them are viewers."""

    def __init__(self, group: Group, painters: int) -> None:
        self._group = group
        self._painters = [(Painter(number), opened) for number, opened in enumerate(group.sockets[:painters])]
        step = max(1, len(group.sockets) // SAMPLES)
        self._samples = {opened.fileno(): 0 for opened in group.sockets[::step]}
        self._sent_at = [0] * (painters * CHANGES)  # by colour
        self._next_painter = 0
        self._sent = 0
        self._delivered = 0
        self._tails: dict[int, bytes] = {}
        self._latencies: list[int] = []

    def check(self) -> None:
        """See that every viewer is told of every change, in full.

        Raises:
            Broken: if not.
        """
        self._begin()
        expected = []
        for _ in range(3):
            x, y, color = self._painters[self._next_painter][0].next
            expected.append((x, y, f"#{color:06X}"))
            self._paint(1)
        first = self._group.sockets[0].fileno()
        seen: list[bytes] = []
        self._drain(lambda fd, size: seen.append(bytes(self._group.buffer[:size])) if fd == first else None)
        events = [json.loads(text) for opcode, text in parse_server_frames(b"".join(seen)) if opcode == TEXT]
        got = [(e["x"], e["y"], e["color"]) for e in events if e["type"] == "pixel_changed"]
        if sorted(got) != sorted(expected):
            raise Broken(f"painted {expected}, but was told {got}")

    def saturate(self, pid: int, under_way: int, warmup: float, seconds: float) -> Result:
        """Keep so many changes under way; the round ends when all of them have been delivered to everybody."""
        self._begin()

        def serve(duration: float) -> None:
            end = time.perf_counter() + duration
            while time.perf_counter() < end:
                self._paint(under_way - (self._sent - min(self._samples.values())))
                if not self._receive(TIMEOUT, None):
                    raise Broken(f"no event for {TIMEOUT:g} s")

        serve(warmup)
        stopwatch, before = Stopwatch(pid), self._delivered
        serve(seconds)
        self._drain(None)
        return stopwatch.result(self._delivered - before, [])

    def at_rate(self, pid: int, rate: float, warmup: float, seconds: float) -> Result:
        """Paint `rate` changes a second, in turn, and take the latency of the sampled viewers."""
        self._begin()
        due = time.perf_counter()

        def serve(duration: float) -> None:
            nonlocal due
            end = time.perf_counter() + duration
            while (now := time.perf_counter()) < end:
                if now >= due:
                    due += 1 / rate
                    _, _, color = self._painters[self._next_painter][0].next
                    self._sent_at[color] = time.perf_counter_ns()
                    self._paint(1)
                self._receive(max(0.0, min(due, end) - time.perf_counter()), self._take_latency)

        serve(warmup)
        self._latencies.clear()
        stopwatch, before = Stopwatch(pid), self._delivered
        serve(seconds)
        self._drain(self._take_latency)
        return stopwatch.result(self._delivered - before, self._latencies)

    def _begin(self) -> None:
        self._sent = self._delivered = 0
        self._samples = dict.fromkeys(self._samples, 0)
        self._tails = {}
        self._latencies = []

    def _paint(self, count: int) -> None:
        """Send the next `count` changes, shared out among the painters: one `send` for each share."""
        share = min(-(-count // len(self._painters)), CHANGES)
        while count > 0:
            size = min(share, count)
            painter, opened = self._painters[self._next_painter]
            send_all(opened, painter.take(size))
            self._next_painter = (self._next_painter + 1) % len(self._painters)
            self._sent += size
            count -= size

    def _receive(self, timeout: float, look: Callable[[int, int], object] | None) -> bool:
        """Read once from every socket that has something; `look(fd, size)` sees what sampled viewers got."""
        group, samples, delivered = self._group, self._samples, 0
        by_fd, buffer, count = group.by_fd, group.buffer, group.buffer.count
        ready = group.epoll.poll(timeout)
        for fd, _ in ready:
            size = by_fd[fd].recv_into(buffer)
            if not size:
                raise Broken("a connection was closed")
            events = count(b"#", 0, size)
            delivered += events
            if fd in samples:
                samples[fd] += events
                if look is not None:
                    look(fd, size)
        self._delivered += delivered
        return bool(ready)

    def _drain(self, look: Callable[[int, int], object] | None) -> None:
        """Wait until everybody has been told of everything that was painted."""
        expected = self._sent * len(self._group.sockets)
        while self._delivered < expected:
            if not self._receive(TIMEOUT, look):
                raise Broken(f"{expected - self._delivered} of {expected} events were not delivered")
        if self._delivered > expected:
            raise Broken(f"{self._delivered} events were delivered, not {expected}")

    def _take_latency(self, fd: int, size: int) -> None:
        now = time.perf_counter_ns()
        data = self._tails.get(fd, b"") + self._group.buffer[:size]
        end = 0
        for match in _COLOR.finditer(data):
            self._latencies.append(now - self._sent_at[int(match[1], 16)])
            end = match.end()
        self._tails[fd] = bytes(data[max(end, len(data) - _LONGEST_EVENT) :])


class Generator:
    """Obeys commands."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        self._canvases: dict[str, Canvas] = {}

    def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what one command says: call the method that it names."""
        do: Callable[..., Result | None] = getattr(self, command.pop("do"))
        result = do(**command)
        return {} if result is None else asdict(result)

    def open(self, group: str, port: int, path: str, count: int) -> None:
        """Open connections, and wait until nobody says anything."""
        self._groups.setdefault(group, Group()).open(port, path, count)
        self._groups[group].settle(QUIET)

    def look_on(self, group: str, painters: int) -> None:
        """Make an open group viewers of the canvas, and see that they are."""
        self._canvases[group] = Canvas(self._groups[group], painters)
        self._canvases[group].check()

    def close(self, group: str) -> None:
        """Close a group's connections."""
        self._canvases.pop(group, None)
        self._groups.pop(group).close()

    def echo(self, group: str, **options: Any) -> Result:
        """Run one round of echo."""
        return echo(self._groups[group], **options)

    def saturate(self, group: str, **options: Any) -> Result:
        """Run one round of painting as fast as it goes."""
        return self._canvases[group].saturate(**options)

    def at_rate(self, group: str, **options: Any) -> Result:
        """Run one round of painting at a rate."""
        return self._canvases[group].at_rate(**options)


def main() -> None:
    """Obey until stdin ends."""
    generator = Generator()
    for line in sys.stdin:
        try:
            answer: dict[str, Any] = {"ok": generator.obey(json.loads(line))}
        except (Broken, OSError) as error:  # the server's fault: its row says so, and the run goes on
            answer = {"broken": str(error) or repr(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
