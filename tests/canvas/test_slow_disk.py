"""A disk that is slow, for longer than any timeout, costs time and nothing else. In virtual time."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors.debug import force_exit, resume, suspend
from actors.testing import quiet, settle
from canvas.store import SLOW_WRITE, Append, CommitPace, MemoryStore, Store, StoreServer, turn
from canvas.store.turn import Turn
from tests.console.test_metrics import scrape
from tests.support.client import assert_same_canvas, paint_together
from tests.support.console import console
from tests.support.instance import find_child, mended, registered, simulation
from tests.support.raw_socket import get
from tests.support.scenarios import live, simulated

RED = "#FF0000"


class Disk:
    """A disk that is as slow as it is told to be.

    Attributes:
        stall: how long the next commit takes, in seconds
    """

    def __init__(self) -> None:
        self.stall = 0.0
        self.turn = asyncio.Lock()
        self.owner: object = None
        self.is_stalling = asyncio.Event()


class WaitingStoreServer(StoreServer):
    """Commits as `SqliteStore` does on a thread: a killed process ends its commit, and its successor waits for that."""

    disk: Disk

    async def init(self, store: Store, history: Any) -> None:  # type: ignore[override]
        async with self.disk.turn:
            self.disk.owner = self
            super().init(store, history)

    async def handle_cast(self, request: Any) -> None:
        if not isinstance(request, Append):
            super().handle_cast(request)
            return
        thread = asyncio.ensure_future(self._commit(request))
        await asyncio.shield(thread)

    async def _commit(self, request: Append) -> None:
        disk = self.disk
        async with disk.turn:
            seconds, disk.stall = disk.stall, 0.0
            if seconds:
                disk.is_stalling.set()
            await asyncio.sleep(seconds)
            if disk.owner is self or seconds:
                super().handle_cast(request)


NAMED = ["registry", "store", "encoder", "broadcaster", "canvas", "history"]
VICTIMS: list[Any] = [None, *NAMED, ("server", "listener"), ("canopy", "server")]
STALL = 60.0
"""Seconds: longer than any timeout of a wire."""


@pytest.mark.parametrize("victim", VICTIMS, ids=str)
@simulated
async def test_slow_commit_and_a_crash_meanwhile_cost_nobody_the_connection_and_no_pixel(
    tmp_path_factory: pytest.TempPathFactory, victim: Any
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("canvas.application.StoreServer", WaitingStoreServer)
        patched.setattr(WaitingStoreServer, "disk", disk := Disk(), raising=False)
        async with simulation(tmp_path_factory.mktemp("data")) as canvas:
            painters = paint_together([await canvas.join() for _ in range(3)])
            for painter in painters:
                await painter.paint_more()
            disk.stall = STALL
            await disk.is_stalling.wait()
            await settle(0.7)
            if victim is not None:
                force_exit(find_child(*victim) if isinstance(victim, tuple) else registered(victim), "crash")
            await settle(STALL - 1.0)
            assert disk.turn.locked()
            assert [painter.client.closed for painter in painters] == [None] * 3
            await mended(canvas.application)
            for painter in painters:
                await painter.paint_more()
            await assert_same_canvas(painters, await canvas.join())


@simulated
async def test_commit_that_takes_long_is_logged_while_it_does(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        with capture_logs() as logs:
            for number in range(3):
                suspend("store")
                ann.paint(number, 1, RED)
                await settle(SLOW_WRITE * 0.9)
                resume("store")
                await ann.until(lambda: ann.screen.seq == number + 1)  # noqa: B023
            assert logs == []
            suspend("store")
            ann.paint(3, 1, RED)
            await settle(SLOW_WRITE * 1.1)
            assert [(log["event"], log["changes"]) for log in logs] == [("canvas.commit_slow", 1)]
            await settle(60.0)
            resume("store")
            await ann.until(lambda: ann.screen.seq == 4)
            await quiet()
            assert len(logs) == 1


@simulated
async def test_commit_that_ended_before_the_canvas_looked_is_not_logged(tmp_path: Path) -> None:
    """Its timer went off when the store's answer was in the mailbox."""
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        with capture_logs() as logs:
            suspend("store")
            ann.paint(1, 1, RED)
            await settle(SLOW_WRITE * 0.9)
            suspend("canvas")
            resume("store")
            await settle(SLOW_WRITE)
            resume("canvas")
            await ann.until(lambda: ann.screen.seq == 1)
            await quiet()
        assert logs == []


@live
async def test_write_that_takes_long_is_seen_in_health_the_console_and_the_metrics(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        with pytest.MonkeyPatch.context() as patched:
            port = ann.application.sockets.port
            assert "slow_write" not in (await get(port, "/healthz")).body.decode()
            assert (await ann.get("pages/store"))["values"]["write under way"]["amount"] == 0
            patched.setattr(MemoryStore, "pace", lambda store: CommitPace(7.25, 2))
            answer = await get(port, "/healthz")
            assert answer.status == 200
            assert b'"slow_write":7.2' in answer.body
            values = (await ann.get("pages/store"))["values"]
            assert (values["write under way"]["amount"], values["slow writes"]["amount"]) == (7.25, 2)
            samples = await scrape(ann)
            assert samples["canopy_store_write_seconds"] == 7.25
            assert samples["canopy_store_slow_writes_total"] == 2


def test_turn_tells_how_long_it_is_held_and_counts_and_logs_the_slow_ones() -> None:
    now = 0.0
    one = Turn(lambda: now)
    assert one.pace() == CommitPace(0.0, 0)
    with capture_logs() as logs:
        for seconds, slow in ((1.0, 0), (SLOW_WRITE + 0.5, 1), (1.0, 1), (90.0, 2)):
            with one:
                now += seconds
                assert one.pace().seconds == seconds
            assert one.pace() == CommitPace(0.0, slow)
    assert [(log["event"], log["seconds"]) for log in logs] == [
        ("store.slow_write", SLOW_WRITE + 0.5), ("store.slow_write", 90.0),
    ]  # fmt: skip


def test_who_waits_long_for_a_turn_says_so_and_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told, got = 0.0, threading.Event(), threading.Event()
    noted: list[tuple[str, float]] = []

    class Log:
        def warning(self, event: str, *, seconds: float) -> None:
            noted.append((event, seconds))
            told.set()

    one = Turn(lambda: now)

    def write() -> None:
        with one:
            got.set()

    monkeypatch.setattr(turn, "SLOW_WRITE", 0.001)
    monkeypatch.setattr(turn, "log", Log())
    waiting = threading.Thread(target=write)
    with one:
        now = 7.0
        waiting.start()
        assert told.wait(30)
        assert noted == [("store.waiting", 7.0)]
        assert not got.is_set()
    waiting.join(30)
    assert got.is_set()
