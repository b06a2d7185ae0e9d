"""What a user, and an address, may do in the room, whatever happens to their connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from actors.debug import force_exit
from actors.testing import settle
from canvas.board.rules import CROWD, Cooldown
from canvas.live.room import BYTES_PER_PIXEL
from canvas.messages.json_codec import JsonCodec
from supervision.server.rate_limit import SHARE, RateLimit
from tests.canvas.test_presence import cookie_of, join_with
from tests.support.failing_store import full_disk
from tests.support.instance import Simulation, connection_of, simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import BinaryClient, VirtualClient

RED, GREEN = "#FF0000", "#00FF00"
SLOW = RateLimit(0.001, 20)


def paint_many(client: VirtualClient, first: int, count: int) -> list[int]:
    """Paint pixels of different colours, each in a message of its own; returns the ids."""
    ids = list(range(first, first + count))
    for id_ in ids:
        client.paint(id_ % 32, 0, f"#{id_:06X}", id_)
    return ids


async def crash(canvas: Simulation, client: VirtualClient) -> None:
    """Crash the connection of a client that is alone, and wait until it is there again."""
    before = client.screen.states + client.screen.resumes
    force_exit(connection_of(canvas.application, client.screen.user_id), "crash")
    await client.until(lambda: client.screen.states + client.screen.resumes > before)


@asynccontextmanager
async def come_again(canvas: Simulation, client: VirtualClient, how: str) -> AsyncIterator[VirtualClient]:
    """The same user with another connection, another window, or after a crash of the connection actor."""
    if how == "crash":
        await crash(canvas, client)
        yield client
        return
    if how == "reconnect":
        await client.leave()
    yield await join_with(canvas, cookie_of(client))


AGAIN = pytest.mark.parametrize("how", ["reconnect", "window", "crash"])


@AGAIN
@simulated
async def test_rate_limit_holds_over_reconnects_windows_and_crashes(tmp_path: Path, how: str) -> None:
    async with simulation(tmp_path, rate_limit=SLOW) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        await ann.acknowledged(*paint_many(ann, 1, 20))
        async with come_again(canvas, ann, how) as again:
            before = len(again.screen.errors)
            await again.acknowledged(*paint_many(again, 21, 5))
            assert [error["code"] for error in again.screen.errors[before:]] == ["rate_limited"] * 5
        await bob.acknowledged(*paint_many(bob, 50, 5))
        assert canvas.application.store.load().seq == 25


@AGAIN
@simulated
async def test_patience_holds_over_reconnects_windows_and_crashes(tmp_path: Path, how: str) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        for _ in range(100):
            ann.send_text("nonsense")
        await ann.until(lambda: len(ann.screen.errors) == 100)
        async with come_again(canvas, ann, how) as again:
            for _ in range(2):
                again.send_text("nonsense")
            assert (await again.end())[0] == 1008
        assert bob.closed is None


@simulated
async def test_users_behind_one_address_have_what_some_of_them_may_do(tmp_path: Path) -> None:
    async with simulation(tmp_path, rate_limit=RateLimit(0.001, 2)) as canvas:
        users = []
        for number in range(SHARE + 1):
            user = VirtualClient("2001:db8::1" if number % 2 else "2001:db8::2")  # one /64
            user.begin(canvas.door)
            await user.until(lambda user=user: user.screen.states > 0)
            users.append(user)
        other = await VirtualClient.open(canvas.door)
        for number, user in enumerate(users):
            await user.acknowledged(*paint_many(user, 1 + 2 * number, 2))
        assert [len(user.screen.errors) for user in users] == [0] * SHARE + [2]
        await other.acknowledged(*paint_many(other, 100, 2))
        assert other.screen.errors == []


# The cooldown.


@simulated
async def test_pixel_that_has_its_colour_costs_no_cooldown(tmp_path: Path) -> None:
    async with simulation(tmp_path, cooldown=Cooldown(60.0, 60.0)) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        ann.paint(0, 0, RED, 1)
        await ann.acknowledged(1)
        bob.paint(0, 0, RED, 1)
        bob.paint(5, 5, "#FFFFFF", 2)
        bob.paint(1, 0, GREEN, 3)
        await bob.acknowledged(1, 2, 3)
        assert bob.screen.errors == []
        assert bob.screen.own == [(1, 0, GREEN)]


@simulated
async def test_change_that_the_store_refuses_costs_nothing(tmp_path: Path) -> None:
    rules: dict[str, Any] = {"cooldown": Cooldown(3600.0, 3600.0), "rate_limit": RateLimit(0.001, 1)}
    async with simulation(tmp_path, **rules) as canvas:
        ann = await canvas.join()
        with full_disk():
            for id_ in range(3):
                ann.paint(1, 1, RED, id_)
                await ann.acknowledged(id_)
        assert [error["code"] for error in ann.screen.errors] == ["store_unavailable"] * 3
        ann.paint(1, 1, RED, 7)
        await ann.acknowledged(7)
        assert ann.screen.own == [(1, 1, RED)]
        ann.paint(2, 1, RED, 8)
        await ann.acknowledged(8)
        assert ann.screen.errors[-1]["code"] == "cooldown"


@simulated
async def test_only_pixels_that_the_store_refuses_are_given_back(tmp_path: Path) -> None:
    async with simulation(tmp_path, rate_limit=RateLimit(0.001, 4)) as canvas:
        ann = await BinaryClient.open(canvas.door)
        with full_disk():
            white = pack("<HHBBB", 0, 0, 255, 255, 255)  # it has that colour
            ann.send_binary(pack("<BI", 4, 7) + white + b"".join(pack("<HHBBB", x, 0, 255, 0, 0) for x in (1, 2)))
            await ann.acknowledged(7)
        assert [(error["code"], error["x"]) for error in ann.screen.errors] == [
            ("store_unavailable", 1), ("store_unavailable", 2),
        ]  # fmt: skip
        ann.send_binary(pack("<BI", 4, 8) + b"".join(pack("<HHBBB", x, 0, 255, 0, 0) for x in range(4)))
        await ann.acknowledged(8)
        assert [x for x, _, _ in ann.screen.own] == [0, 1, 2]
        assert [(error["code"], error["x"]) for error in ann.screen.errors[2:]] == [("rate_limited", 3)]


@simulated
async def test_pixels_that_the_cooldown_refuses_are_not_given_back_with_those_of_the_store(tmp_path: Path) -> None:
    rules: dict[str, Any] = {"cooldown": Cooldown(3600.0, 3600.0), "rate_limit": RateLimit(0.001, 3)}
    async with simulation(tmp_path, **rules) as canvas:
        ann = await BinaryClient.open(canvas.door)
        with full_disk():
            ann.send_binary(pack("<BI", 4, 7) + b"".join(pack("<HHBBB", x, 0, 255, 0, 0) for x in range(3)))
            await ann.acknowledged(7)
        refused = [(error["code"], error["x"]) for error in ann.screen.errors]
        assert refused == [("cooldown", 1), ("cooldown", 2), ("store_unavailable", 0)]
        ann.send_binary(pack("<BI", 4, 8) + b"".join(pack("<HHBBB", x, 0, 255, 0, 0) for x in range(3)))
        await ann.acknowledged(8)
        assert ann.screen.own == [(0, 0, RED)]
        assert {(error["code"], error["x"]) for error in ann.screen.errors[3:]} == {
            ("rate_limited", 1),
            ("rate_limited", 2),
        }


@simulated
async def test_of_pixels_that_come_together_one_is_painted_and_each_other_is_refused(tmp_path: Path) -> None:
    async with simulation(tmp_path, cooldown=Cooldown(60.0, 60.0)) as canvas:
        ann = await BinaryClient.open(canvas.door)
        ann.send_binary(pack("<BI", 4, 7) + b"".join(pack("<HHBBB", x, 0, 255, 0, 0) for x in range(4)))
        await ann.acknowledged(7)
        assert ann.screen.own == [(0, 0, RED)]
        refused = [(error["code"], error["id"], error["x"]) for error in ann.screen.errors]
        assert refused == [("cooldown", 7, x) for x in (1, 2, 3)]
        assert {error["retry_after"] for error in ann.screen.errors} == {60.0}


@simulated
async def test_crowd_of_the_cooldown_is_of_users_not_of_windows(tmp_path: Path) -> None:
    async with simulation(tmp_path, cooldown=Cooldown(1.0, CROWD)) as canvas:  # a second more for each of them
        ann, bob = await canvas.join(), await canvas.join()
        for _ in range(5):
            await join_with(canvas, cookie_of(bob))
        ann.paint(0, 0, RED, 1)
        await ann.acknowledged(1)
        await settle(1.0)
        ann.paint(1, 0, RED, 2)
        await ann.acknowledged(2)
        assert ann.screen.errors[0]["retry_after"] == pytest.approx(1.0, abs=0.1)


# Bytes and work.


@simulated
async def test_bytes_of_messages_are_limited_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = 0
    decode = JsonCodec.decode

    def count(*args: Any) -> Any:
        nonlocal decoded
        decoded += 1
        return decode(*args)

    monkeypatch.setattr(JsonCodec, "decode", count)
    async with simulation(tmp_path, rate_limit=RateLimit(10, 20)) as canvas:
        ann = await canvas.join()
        large = {"type": "cursor_move", "x": 1, "y": 1, "more": "." * (5 * BYTES_PER_PIXEL - 100)}
        for _ in range(10):
            ann.send(**large)
        await ann.until(lambda: len(ann.screen.errors) == 6)
        assert decoded == 4
        assert {error["code"] for error in ann.screen.errors} == {"rate_limited"}
        assert "bytes of messages" in ann.screen.errors[0]["message"]


@simulated
async def test_message_that_no_canvas_needs_is_closed_with_1009(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        ann.send_text("[" + "0," * 33_000 + "0]")
        assert (await ann.end())[0] == 1009


@simulated
async def test_subscription_to_a_large_part_counts_as_several_cursor_moves(tmp_path: Path) -> None:
    async with simulation(tmp_path, width=2_560, height=2_560, rate_limit=RateLimit(0.01, 10)) as canvas:
        ann = await canvas.join()
        for id_ in range(3):  # 100 tiles each
            ann.send(type="subscribe", x=0, y=0, width=2_560, height=2_560, id=id_)
        assert [(await ann.error())["id"] for _ in range(2)] == [1, 2]
        for id_ in range(4):
            ann.send(type="cursor_move", x=0, y=0, id=10 + id_)
        assert (await ann.error())["id"] == 13
