"""Acknowledgements: each message with an id gets one, after its errors, when its pixels are on the canvas."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from actors import whereis
from actors.debug import force_exit, resume, suspend
from actors.testing import quiet, settle
from canvas.board.area import Area
from canvas.board.grid import Change
from canvas.board.rules import Cooldown
from canvas.store import MemoryStore, StoreError
from supervision.server import Policy
from supervision.server.rate_limit import RateLimit
from tests.support.failing_store import full_disk
from tests.support.instance import connection_of, mended, simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, BinaryClient, VirtualClient

CLOSE_TIMEOUT = Policy().close_timeout
RED, GREEN = "#FF0000", "#00FF00"
KINDS = pytest.mark.parametrize("kind", [VirtualClient, BinaryClient])


def heard(client: VirtualClient) -> list[tuple[Any, ...]]:
    """What a client is told of its pixels from now on, in order."""
    told: list[tuple[Any, ...]] = []

    def note(kind: str, message: dict[str, Any]) -> None:
        if kind == "ack":
            told.append(("ack", message["id"], message["seq"]))
        elif kind == "error":
            told.append((message["code"], message.get("id"), message.get("x"), message.get("y")))
        elif kind == "pixel_changed":
            told.append((message["x"], message["y"], message["color"]))

    client.on_message = note
    return told


def pixels(*cells: tuple[int, int], id_: int) -> bytes:
    """A `pixels_with_id`, all red."""
    return pack("<BI", 4, id_) + b"".join(pack("<HHBBB", x, y, 255, 0, 0) for x, y in cells)


@KINDS
@simulated
async def test_ack_follows_the_change_and_only_its_painter_gets_it(tmp_path: Path, kind: type[VirtualClient]) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await kind.open(canvas.door), await kind.open(canvas.door)
        told, others = heard(ann), heard(bob)
        ann.paint(1, 2, RED, 7)
        await ann.acknowledged(7)
        await quiet()
        assert told == [(1, 2, RED), ("ack", 7, 1)]
        assert others == [(1, 2, RED)]


@KINDS
@simulated
async def test_message_without_an_id_gets_no_ack(tmp_path: Path, kind: type[VirtualClient]) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await kind.open(canvas.door)
        told = heard(ann)
        ann.paint(1, 2, RED)
        await settle(1.0)
        assert told == [(1, 2, RED)]


@KINDS
@simulated
async def test_pixel_that_has_its_colour_is_acknowledged_and_nothing_else_happens(
    tmp_path: Path, kind: type[VirtualClient]
) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await kind.open(canvas.door), await kind.open(canvas.door)
        ann.paint(1, 2, RED, 1)
        await ann.acknowledged(1)
        told, others = heard(ann), heard(bob)
        bob.paint(1, 2, RED, 7)
        bob.paint(3, 3, "#FFFFFF", 8)
        await bob.acknowledged(7, 8)
        await settle(1.0)
        assert others == [("ack", 7, 1), ("ack", 8, 1)]
        assert told == []
        assert canvas.application.store.load().seq == 1


@simulated
async def test_several_pixels_of_one_message_get_one_ack_with_the_last_change(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await BinaryClient.open(canvas.door)
        told = heard(ann)
        ann.send_binary(pixels((0, 0), (1, 0), (0, 0), id_=7))  # the third one has its colour by then
        ann.send_binary(pixels((2, 0), id_=8))
        await ann.acknowledged(7, 8)
        assert told == [(0, 0, RED), (1, 0, RED), (2, 0, RED), ("ack", 7, 2), ("ack", 8, 3)]


@simulated
async def test_ids_and_no_ids_keep_their_order(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        for number, id_ in enumerate([None, 1, None, None, 2, 3, None]):
            ann.paint(0, 0, f"#{number + 1:06X}", id_)
        await ann.until(lambda: ann.screen.seq == 7)
        assert [color for _, _, color in ann.screen.own] == [f"#{number + 1:06X}" for number in range(7)]
        assert ann.screen.acks == {1: 2, 2: 5, 3: 6}


@KINDS
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"read_only": True}, "read_only"),
        ({"palette": (0x00FF00,)}, "color_not_allowed"),
        ({"locked": (Area(1, 2, 1, 1),)}, "area_locked"),
    ],
)
@simulated
async def test_refusal_names_the_pixel_and_the_message_and_the_ack_follows(
    tmp_path: Path, kind: type[VirtualClient], options: dict[str, Any], code: str
) -> None:
    async with simulation(tmp_path, **options) as canvas:
        ann = await kind.open(canvas.door)
        told = heard(ann)
        ann.paint(1, 2, RED, 7)
        await ann.acknowledged(7)
        assert told == [(code, 7, 1, 2), ("ack", 7, 0)]
        assert "retry_after" not in ann.screen.errors[0]


@KINDS
@simulated
async def test_message_that_cannot_be_read_whole_gets_its_error_and_its_ack(
    tmp_path: Path, kind: type[VirtualClient]
) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await kind.open(canvas.door)
        told = heard(ann)
        ann.paint(32, 0, RED, 7)
        await ann.acknowledged(7)
        assert [(one[0], one[1]) for one in told] == [("out_of_bounds", 7), ("ack", 7)]


@simulated
async def test_error_of_a_message_that_paints_nothing_has_its_id_and_no_ack_follows(tmp_path: Path) -> None:
    async with simulation(tmp_path, rate_limit=RateLimit(1, 1)) as canvas:
        ann = await canvas.join()
        ann.send(type="cursor_move", x=0, y=0, id=6)
        ann.send(type="cursor_move", x=0, y=0, id=7)
        ann.send(type="subscribe", x=0, y=0, width=1, height=1, id=8)
        ann.send(type="subscribe", x=0, y=0, width=0, height=1, id=9)
        for id_ in (7, 8, 9):
            assert (await ann.error())["id"] == id_
        await settle(1.0)
        assert ann.screen.acks == {}


@simulated
async def test_rest_of_a_message_over_the_limit_is_refused_pixel_by_pixel(tmp_path: Path) -> None:
    async with simulation(tmp_path, rate_limit=RateLimit(2, 2)) as canvas:
        ann = await BinaryClient.open(canvas.door)
        told = heard(ann)
        ann.send_binary(pixels((0, 0), (1, 0), (2, 0), (3, 0), id_=7))
        await ann.acknowledged(7)
        refused = [("rate_limited", 7, x, 0) for x in (2, 3)]
        assert told == [*refused, (0, 0, RED), (1, 0, RED), ("ack", 7, 2)]
        assert {error["retry_after"] for error in ann.screen.errors} == {0.5}
        await settle(0.5)
        ann.paint(2, 0, RED)
        await ann.until(lambda: ann.screen.seq == 3)


@KINDS
@simulated
async def test_error_of_the_cooldown_says_when_it_is_over(tmp_path: Path, kind: type[VirtualClient]) -> None:
    async with simulation(tmp_path, cooldown=Cooldown(60.0, 60.0)) as canvas:
        ann = await kind.open(canvas.door)
        ann.paint(0, 0, RED, 1)
        await ann.acknowledged(1)
        await settle(20.0)
        ann.paint(1, 0, RED, 2)
        await ann.acknowledged(2)
        (error,) = ann.screen.errors
        assert (error["code"], error["id"], error["x"], error["y"]) == ("cooldown", 2, 1, 0)
        await settle(error["retry_after"])
        ann.paint(1, 0, RED, 3)
        await ann.acknowledged(3)
        assert ann.screen.own == [(0, 0, RED), (1, 0, RED)]


@KINDS
@simulated
async def test_pixels_that_the_store_refuses_are_named_and_acknowledged(
    tmp_path: Path, kind: type[VirtualClient]
) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await kind.open(canvas.door), await kind.open(canvas.door)
        told, others = heard(ann), heard(bob)
        with full_disk():
            ann.paint(1, 2, RED, 7)
            ann.paint(3, 4, RED, 8)
            await ann.acknowledged(7, 8)
        assert told == [
            ("store_unavailable", 7, 1, 2), ("ack", 7, 0), ("store_unavailable", 8, 3, 4), ("ack", 8, 0),
        ]  # fmt: skip
        assert others == []
        ann.paint(1, 2, RED, 9)
        await ann.acknowledged(9)
        assert ann.screen.acks[9] == 1


# The end of a client.

ENDS = pytest.mark.parametrize("how", ["close", "half"])


def end_side(client: VirtualClient, how: str) -> tuple[int, str]:
    """End the client's side at once; returns how the WebSocket is to end."""
    if how == "half":
        client.hang_up(EOF)
        return 1006, ""
    client.say_goodbye()
    return 1000, ""


@KINDS
@ENDS
@simulated
async def test_client_that_ends_its_side_at_once_is_answered_before(
    tmp_path: Path, kind: type[VirtualClient], how: str
) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await kind.open(canvas.door)
        told = heard(ann)
        ann.paint(1, 2, RED, 7)
        ann.paint(32, 0, RED, 8)
        ann.paint(3, 4, RED)
        ann.paint(5, 6, RED, 9)
        expected = end_side(ann, how)
        assert await ann.end() == expected
        assert sorted(one for one in told if one[0] == "ack") == [("ack", 7, 1), ("ack", 8, 0), ("ack", 9, 3)]
        assert [one for one in told if one[-1] == RED] == [(1, 2, RED), (3, 4, RED), (5, 6, RED)]
        assert [one[:2] for one in told if one[0] == "out_of_bounds"] == [("out_of_bounds", 8)]
        assert not canvas.application.sockets.cut_off


@KINDS
@ENDS
@simulated
async def test_client_that_paints_with_its_handshake_and_ends_is_answered(
    tmp_path: Path, kind: type[VirtualClient], how: str
) -> None:
    async with simulation(tmp_path) as canvas:
        ann = kind()
        ann.begin(canvas.door)
        ann.paint(1, 2, RED, 7)
        expected = end_side(ann, how)
        assert await ann.end() == expected
        assert ann.screen.acks == {7: 1}


@ENDS
@pytest.mark.parametrize("victim", ["connection", "canvas", "broadcaster"])
@simulated
async def test_crash_before_the_end_of_a_client_is_answered_ends_it_in_time(
    tmp_path: Path, how: str, victim: str
) -> None:
    loop = asyncio.get_running_loop()
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        suspend("store")
        ann.paint(1, 2, RED, 7)
        began = loop.time()
        expected = end_side(ann, how)
        await quiet()
        ref = connection_of(canvas.application, "user1") if victim == "connection" else whereis(victim)
        assert ref is not None
        force_exit(ref, "crash")
        assert await ann.end() == expected
        assert loop.time() - began <= CLOSE_TIMEOUT
        resume("store")
        await mended(canvas.application)


@ENDS
@simulated
async def test_commit_that_hangs_holds_the_end_of_a_painter_for_a_bounded_time_and_that_of_no_other(
    tmp_path: Path, how: str
) -> None:
    loop = asyncio.get_running_loop()
    async with simulation(tmp_path) as canvas:
        ann, bob, eve = [await canvas.join() for _ in range(3)]
        suspend("store")
        ann.paint(1, 2, RED, 7)
        bob.paint(3, 4, RED, 8)
        await quiet()
        began = loop.time()
        ends = [end_side(client, how) for client in (ann, bob, eve)]
        assert await eve.end() == ends[2]
        assert loop.time() == began
        await settle(CLOSE_TIMEOUT / 2)
        assert (ann.closed, bob.closed) == (None, None)
        assert (await ann.end(), await bob.end()) == (ends[0], ends[1])
        assert loop.time() - began == pytest.approx(CLOSE_TIMEOUT)
        resume("store")
        await quiet()
        assert canvas.application.store.load().seq == 2
        assert not canvas.application.sockets.cut_off


@ENDS
@simulated
async def test_end_waits_for_nothing_when_too_much_waits_for_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("canvas.live.canvas.MAX_WAITING", 2)
    loop = asyncio.get_running_loop()
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        suspend("store")
        for x in range(3):
            ann.paint(x, 0, RED)
            bob.paint(x, 1, RED, x)
            await quiet()
        began = loop.time()
        expected = end_side(bob, how)
        assert await bob.end() == expected
        assert loop.time() == began
        resume("store")


# What does not wait for a commit.


@KINDS
@simulated
async def test_message_that_is_refused_as_a_whole_waits_for_no_commit(
    tmp_path: Path, kind: type[VirtualClient]
) -> None:
    async with simulation(tmp_path, palette=(0xFF0000,), cooldown=Cooldown(60.0, 60.0)) as canvas:
        ann, bob = await kind.open(canvas.door), await kind.open(canvas.door)
        suspend("store")
        ann.paint(1, 2, RED, 7)
        await quiet()
        told = heard(ann)
        ann.paint(32, 0, RED, 8)
        ann.paint(1, 1, GREEN, 9)
        ann.paint(1, 1, RED, 10)
        await ann.acknowledged(8, 9, 10)
        kinds = [one[:2] for one in told]
        for code, id_ in (("out_of_bounds", 8), ("color_not_allowed", 9), ("cooldown", 10)):
            assert kinds.index((code, id_)) < kinds.index(("ack", id_))
        assert {seq for name, _, seq, *_ in told if name == "ack"} == {0}
        resume("store")
        await ann.acknowledged(7)
        assert told[-2:] == [(1, 2, RED), ("ack", 7, 1)]
        await bob.until(lambda: bob.screen.seq == 1)


@simulated
async def test_refusal_by_the_cooldown_waits_for_no_commit_and_its_time_is_right(tmp_path: Path) -> None:
    async with simulation(tmp_path, cooldown=Cooldown(60.0, 60.0)) as canvas:
        ann = await BinaryClient.open(canvas.door)
        told = heard(ann)
        suspend("store")
        ann.send_binary(pixels((0, 0), (1, 0), id_=7))
        error = await ann.error()
        assert (error["code"], error["x"], error["retry_after"]) == ("cooldown", 1, 60.0)
        await settle(20.0)
        assert told == [("cooldown", 7, 1, 0)]
        resume("store")
        await ann.acknowledged(7)
        assert told[1:] == [(0, 0, RED), ("ack", 7, 1)]
        await settle(40.0)
        ann.send_binary(pixels((1, 0), id_=8))
        await ann.acknowledged(8)
        assert told[3:] == [(1, 0, RED), ("ack", 8, 2)]


@simulated
async def test_each_pixel_is_refused_for_one_reason_and_the_store_begins_no_cooldown(tmp_path: Path) -> None:
    async with simulation(tmp_path, cooldown=Cooldown(60.0, 60.0)) as canvas:
        ann = await BinaryClient.open(canvas.door)
        told = heard(ann)
        with full_disk():
            ann.send_binary(pixels((0, 0), (1, 0), id_=7))
            await ann.acknowledged(7)
        assert told == [("cooldown", 7, 1, 0), ("store_unavailable", 7, 0, 0), ("ack", 7, 0)]
        ann.send_binary(pixels((1, 0), id_=8))
        await ann.acknowledged(8)
        assert told[3:] == [(1, 0, RED), ("ack", 8, 1)]


@pytest.mark.parametrize("cooldown", [None, Cooldown(0.5, 0.5)], ids=["free", "cooldown"])
@pytest.mark.parametrize("number", range(3))
@simulated
async def test_whatever_the_store_refuses_each_message_is_answered_once_and_truly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cooldown: Cooldown | None, number: int
) -> None:
    chance = random.Random(number)
    is_full = False
    append = MemoryStore.append

    def fail_now_and_then(store: MemoryStore, changes: Sequence[Change], at: float) -> None:
        if is_full:
            raise StoreError("no space left on device")
        append(store, changes, at)

    monkeypatch.setattr(MemoryStore, "append", fail_now_and_then)
    async with simulation(tmp_path, cooldown=cooldown) as canvas:
        clients = [await BinaryClient.open(canvas.door) for _ in range(3)]
        heard_of = [heard(client) for client in clients]
        painted: list[dict[int, list[tuple[int, int, str]]]] = [{} for _ in clients]
        for _ in range(40):
            is_full = chance.random() < 0.4
            suspend("store")
            for _ in range(chance.randint(1, 6)):
                who, id_ = chance.randrange(3), len(painted[0]) + len(painted[1]) + len(painted[2])
                count = chance.randint(1, 3)
                cells = [(chance.randrange(2), 0, chance.choice((RED, GREEN, "#FFFFFF"))) for _ in range(count)]
                painted[who][id_] = cells
                body = b"".join(pack("<HH", x, y) + bytes.fromhex(color[1:]) for x, y, color in cells)
                clients[who].send_binary(pack("<BI", 4, id_) + body)
                if chance.random() < 0.5:
                    await quiet()
            resume("store")
            await settle(chance.choice((0.1, 0.6)))
        states: list[dict[tuple[int, int], str]] = [{}]
        for one in heard_of[0]:
            if len(one) == 3 and one[0] != "ack":
                states.append({**states[-1], (one[0], one[1]): one[2]})
        for told, messages in zip(heard_of, painted, strict=True):
            acks = [one for one in told if one[0] == "ack"]
            assert sorted(id_ for _, id_, _ in acks) == sorted(messages)
            for ack in acks:
                _, id_, seq = ack
                errors = [one for one in told if len(one) == 4 and one[1] == id_]
                assert all(told.index(one) < told.index(ack) for one in errors)
                refused = {one[2:] for one in errors}
                for x, y, color in {(x, y): (x, y, color) for x, y, color in messages[id_]}.values():
                    if (x, y) not in refused:
                        assert states[seq].get((x, y), "#FFFFFF") == color
