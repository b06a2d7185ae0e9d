"""A viewer that has not been sent anything for long is sent a heartbeat, in virtual time."""

from pathlib import Path

import pytest

from actors import whereis
from actors.debug import force_exit
from actors.testing import settle
from canvas.live.broadcaster import HEARTBEAT_CHECK_INTERVAL, SILENCE
from tests.support.instance import mended, simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import BinaryClient, VirtualClient

CLIENTS = pytest.mark.parametrize("kind", [VirtualClient, BinaryClient])
PARTS = pytest.mark.parametrize("query", ["", "?x=0&y=0&width=4&height=4"], ids=["all", "part"])


@CLIENTS
@PARTS
@simulated
async def test_silent_viewer_is_sent_a_heartbeat_every_twenty_seconds(
    tmp_path: Path, kind: type[VirtualClient], query: str
) -> None:
    async with simulation(tmp_path) as canvas:
        bob = await kind.open(canvas.door, "/ws" + query)
        await settle(SILENCE - HEARTBEAT_CHECK_INTERVAL)
        assert bob.screen.heartbeats == 0
        await settle(2 * HEARTBEAT_CHECK_INTERVAL)
        assert bob.screen.heartbeats == 1
        await settle(3 * (SILENCE + HEARTBEAT_CHECK_INTERVAL))
        assert bob.screen.heartbeats == 4


@CLIENTS
@PARTS
@simulated
async def test_viewer_that_is_sent_something_is_sent_no_heartbeat(
    tmp_path: Path, kind: type[VirtualClient], query: str
) -> None:
    async with simulation(tmp_path) as canvas:
        bob = await kind.open(canvas.door, "/ws" + query)
        for number in range(10):
            await settle(SILENCE / 2)
            if number % 2:
                bob.paint(1, 1, f"#{number:06X}")
            elif isinstance(bob, BinaryClient):
                bob.send_binary(bytes((2, 1, 0, 1, 0)))
            else:
                bob.send_text('{"type":"cursor_move","x":1,"y":1}')
        assert bob.screen.heartbeats == 0


@simulated
async def test_viewer_of_a_part_where_nothing_changes_is_sent_a_heartbeat_while_others_paint(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await VirtualClient.open(canvas.door, "/ws?x=0&y=0&width=4&height=4")
        await settle(1.0)
        for number in range(int(SILENCE) + 2):
            ann.paint(9, 9, f"#{number:06X}")
            await settle(1.0)
        assert (ann.screen.heartbeats, bob.screen.heartbeats) == (0, 1)


@simulated
async def test_viewer_that_does_not_read_is_sent_no_heartbeat(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        bob.stall()
        for number in range(2_000):
            ann.paint(number % 32, number // 32 % 16, f"#{number:06X}")
        await ann.until(lambda: ann.screen.seq == 2_000)
        await settle(SILENCE + 2 * HEARTBEAT_CHECK_INTERVAL)
        bob.catch_up()
        await settle(1.0)
        assert (bob.screen.seq, bob.screen.heartbeats) == (2_000, 0)


@simulated
async def test_heartbeat_outlives_a_crash_of_the_broadcaster(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        bob = await canvas.join()
        ref = whereis("broadcaster")
        assert ref is not None
        force_exit(ref, "crash")
        await mended(canvas.application)
        await settle(SILENCE + 2 * HEARTBEAT_CHECK_INTERVAL)
        assert bob.screen.heartbeats == 1
