"""Clients that read slowly or not at all, in virtual time: they are told the latest of it, and others go on."""

from pathlib import Path

import pytest

from actors.testing import quiet, settle
from canvas.live import broadcaster, recent_changes
from tests.support.instance import simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import BinaryClient, VirtualClient

CLIENTS = pytest.mark.parametrize("kind", [VirtualClient, BinaryClient])
RED = "#FF0000"


async def paint(client: VirtualClient, count: int, first: int = 0) -> None:
    """Paint so many pixels in ever new colours, on the same 512 places, and wait until they are acknowledged."""
    for begin in range(first, first + count, 500):
        goal = len(client.screen.own) + min(500, first + count - begin)
        for number in range(begin, min(begin + 500, first + count)):
            client.paint(number % 32, number // 32 % 16, f"#{number % 0xFFFFFF:06X}")
        await client.until(lambda goal=goal: len(client.screen.own) >= goal, "for acknowledgements")


def backlog(client: VirtualClient) -> int:
    """Bytes that the server holds for a client."""
    assert client._transport is not None
    return client._transport.get_write_buffer_size()


@CLIENTS
@simulated
async def test_slow_client_gets_the_latest_of_what_it_missed(tmp_path: Path, kind: type[VirtualClient]) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await kind.open(canvas.door)
        bob.stall()
        await paint(ann, 15_000)
        assert backlog(bob) < 200_000
        bob.catch_up()
        await bob.until(lambda: bob.screen.seq == 15_000, "to catch up")
        assert bob.screen.states == 1
        assert bob.screen.skipped > 5_000
        assert bob.screen.pixels == ann.screen.pixels
        await paint(ann, 10)
        await bob.until(lambda: bob.screen.seq == 15_010, "to go on")
        assert bob.screen.pixels == ann.screen.pixels


@CLIENTS
@simulated
async def test_client_that_is_far_behind_gets_a_state(
    tmp_path: Path, kind: type[VirtualClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_changes, "REMEMBERED", 3_000)
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await kind.open(canvas.door)
        bob.stall()
        await paint(ann, 12_000)
        bob.catch_up()
        await bob.until(lambda: bob.screen.seq == 12_000, "to catch up")
        assert bob.screen.states == 2
        assert bob.screen.pixels == ann.screen.pixels


@simulated
async def test_own_changes_are_acknowledged_even_if_they_were_painted_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_changes, "ENCODED", 1)
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        bob.stall()
        await paint(ann, 400)
        bob.paint(0, 0, RED)
        await ann.until(lambda: ann.screen.seq == 401)
        await paint(ann, 3_000, first=400)
        bob.catch_up()
        await bob.until(lambda: bob.screen.seq == 3_401, "to catch up")
        assert bob.screen.own == [(0, 0, RED)]
        assert bob.screen.skipped > 0
        assert bob.screen.pixels == ann.screen.pixels


@simulated
async def test_those_who_read_notice_nothing_of_those_who_do_not(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        readers = [await canvas.join() for _ in range(18)]
        stuck = [await canvas.join() for _ in range(2)]
        for client in stuck:
            client.stall()
        await paint(ann, 5_000)
        for client in readers:
            await client.until(lambda screen=client.screen: screen.seq == 5_000)
            assert client.screen.skipped == 0
        for client in stuck:
            assert backlog(client) < 200_000
            assert client.closed is None
        await settle(60.0)
        for client in stuck:
            client.catch_up()
            assert (await client.end())[0] == 1006
        assert canvas.application.sockets.cut_off["stalled"] == 2


@simulated
async def test_cursors_are_not_kept_for_a_slow_client_and_comings_are(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        bob.stall()
        await paint(ann, 1_000)
        ann.send(type="cursor_move", x=1, y=1)
        await canvas.join()
        await settle(1.0)
        bob.catch_up()
        await bob.until(lambda: bob.screen.seq == 1_000)
        await quiet()
        assert bob.screen.cursors == {}
        assert bob.screen.users == {"user1", "user2", "user3"}


@simulated
async def test_state_waits_for_a_client_that_does_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcaster, "MAX_BEHIND", 100)
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        bob.stall()
        for round_ in range(3):
            await paint(ann, 2_000, first=2_000 * round_)
            assert bob.screen.states == 1
        bob.catch_up()
        await bob.until(lambda: bob.screen.seq == 6_000)
        assert bob.screen.states == 2
        assert bob.screen.pixels == ann.screen.pixels
