"""A process that is paused, or has no descriptors: it recovers by itself, and has lost nothing that it had shown."""

import asyncio
import os
import resource
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest

from actors.testing import VirtualLoop, settle
from canvas.store import DATABASE, SqliteReader
from tests.canvas.store_contract import past
from tests.canvas.test_kill import open_client
from tests.support.client import assert_same_canvas, paint_together
from tests.support.instance import simulation
from tests.support.killable import KillableCanvas
from tests.support.scenarios import live, simulated

RED, GREEN = "#FF0000", "#00FF00"
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits another process with prlimit")


def kept(data: Path) -> list[tuple[int, int, str]]:
    """What is on the disk: x, y and colour of each change."""
    with closing(SqliteReader(data / DATABASE)) as reader:
        return [(x, y, f"#{color:06X}") for _, x, y, color, _, _ in past(reader)]


def limit_descriptors(canvas: KillableCanvas, count: int) -> int:
    """Let that process open no descriptor from number `count` on; returns how it was."""
    soft, hard = resource.prlimit(canvas.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(canvas.pid, resource.RLIMIT_NOFILE, (count, hard))
    return soft


@pytest.mark.parametrize("seconds", [30.0, 3_600.0], ids="{} s".format)
@pytest.mark.parametrize("later", [0.0, 0.002], ids="{} s later".format)
@simulated
async def test_pause_of_the_whole_process_costs_nobody_the_connection_and_no_pixel(
    tmp_path: Path, seconds: float, later: float
) -> None:
    """The clock has gone on and nothing has run: the process was stopped, or the machine was asleep."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with simulation(tmp_path, store="sqlite", durability="none") as canvas:
        painters = paint_together([await canvas.join() for _ in range(3)])
        for _ in range(3):
            for painter in painters:
                await painter.paint_more(5)
            await settle(later)
            loop.jump_to(loop.now + seconds)
        for painter in painters:
            await painter.pause()
        await settle(120.0)  # longer than any timeout of a connection
        assert [painter.client.closed for painter in painters] == [None] * 3
        await assert_same_canvas(painters, await canvas.join())


@on_linux
@live
async def test_process_that_is_stopped_and_goes_on_has_lost_nothing(tmp_path: Path) -> None:
    canvas = KillableCanvas(tmp_path, width=32, height=16, rate_limit=None)
    ann = await open_client(canvas)
    ann.paint(0, 1, RED)
    await ann.until(lambda: ann.screen.seq == 1)
    os.kill(canvas.pid, signal.SIGSTOP)
    for x in range(1, 20):
        ann.paint(x, 1, RED)
    newcomer = asyncio.ensure_future(open_client(canvas))
    os.kill(canvas.pid, signal.SIGCONT)
    bob = await newcomer
    bob.paint(20, 1, GREEN)
    for client in (ann, bob):
        await client.until(lambda screen=client.screen: screen.seq == 21)
    canvas.kill()
    for client in (ann, bob):
        await client.end()
    canvas.end()
    assert sorted(kept(tmp_path)) == [(x, 1, RED) for x in range(20)] + [(20, 1, GREEN)]


@pytest.mark.parametrize("has_painted", [False, True])
@on_linux
@live
async def test_descriptors_that_run_out_stop_nothing_that_needs_none_and_newcomers_wait(
    tmp_path: Path, has_painted: bool
) -> None:
    canvas = KillableCanvas(tmp_path, width=32, height=16, rate_limit=None)
    ann = await open_client(canvas)
    expected = []
    if has_painted:
        ann.paint(1, 1, RED)
        await ann.until(lambda: ann.screen.seq == 1)
        expected = [(1, 1, RED)]
    before = limit_descriptors(canvas, 0)
    for x in range(2, 5):
        ann.paint(x, 1, RED)
        expected.append((x, 1, RED))
        await ann.until(lambda: ann.screen.seq == len(expected))
    newcomer = asyncio.ensure_future(open_client(canvas))
    limit_descriptors(canvas, before)
    bob = await newcomer
    bob.paint(9, 9, GREEN)
    expected.append((9, 9, GREEN))
    for client in (ann, bob):
        await client.until(lambda screen=client.screen: screen.seq == len(expected))
    canvas.kill()
    for client in (ann, bob):
        await client.end()
    canvas.end()
    assert kept(tmp_path) == expected
