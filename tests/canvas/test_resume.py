"""Clients that come back, in virtual time: exactly what they have missed, or a whole state, never a mix.

Every `Screen` fails on a change that is missing, comes twice or is out of order.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from actors import Ref, whereis
from actors.debug import force_exit
from actors.testing import quiet
from canvas.board.area import Area
from canvas.board.grid import Change
from canvas.live import broadcaster, recent_changes, snapshot_cache
from canvas.live import canvas as canvas_module
from canvas.live.recent_changes import RecentChanges
from canvas.live.view import Phase, View
from canvas.messages.json_codec import JSON, JsonCodec
from protocol import SharedMessage
from tests.support.instance import Simulation, connection_of, mended, simulation
from tests.support.scenarios import simulated
from tests.support.screen import Screen
from tests.support.virtual_network import EOF, BinaryClient, VirtualClient

GREEN = "#00FF00"
CLIENTS = pytest.mark.parametrize("kind", [VirtualClient, BinaryClient])


async def paint(client: VirtualClient, count: int) -> None:
    """Paint so many pixels, each in another colour, and wait until they are shown."""
    begin = len(client.screen.own)
    for number in range(count):
        client.paint(number % 32, number // 32 % 16, f"#{begin + number:06X}")
    await client.until(lambda: len(client.screen.own) >= begin + count, "for the changes")


async def hang_up(client: VirtualClient) -> Screen:
    client.hang_up(EOF)
    await client.end()
    return client.screen


async def caught_up(client: VirtualClient, seq: int) -> None:
    await client.until(lambda: client.screen.seq >= seq, "to catch up")


@CLIENTS
@simulated
async def test_client_that_comes_back_gets_exactly_what_it_missed(tmp_path: Path, kind: type[VirtualClient]) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await kind.open(canvas.door)
        await paint(ann, 5)
        await caught_up(bob, 5)
        screen = await hang_up(bob)
        await paint(ann, 40)
        bob = await kind.resume(canvas.door, screen)
        await caught_up(bob, 45)
        assert (screen.resumes, screen.states) == (1, 1)
        assert screen.pixels == ann.screen.pixels
        await paint(ann, 3)
        await caught_up(bob, 48)
        assert screen.pixels == ann.screen.pixels


@simulated
async def test_client_that_missed_nothing_gets_a_welcome_alone(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        bob = await canvas.join()
        await paint(bob, 5)
        screen = await hang_up(bob)
        bob = await VirtualClient.resume(canvas.door, screen)
        await quiet()
        assert (screen.resumes, screen.states, screen.seq) == (1, 1, 5)


@simulated
async def test_whoever_saw_half_of_a_batch_gets_the_other_half(tmp_path: Path) -> None:
    async with simulation(tmp_path, tick=0.05) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        await paint(ann, 20)  # two batches at most
        await caught_up(bob, 20)
        for seq in range(21):
            client = VirtualClient()
            epoch = bob.screen.epoch
            changes: list[int] = []

            def note(kind: str, message: dict[str, int], changes: list[int] = changes) -> None:
                if kind == "pixel_changed":
                    changes.append(message["seq"])

            client.screen.epoch, client.screen.seq = epoch, seq
            client.on_message = note
            client.begin(canvas.door, f"/ws?epoch={epoch}&seq={seq}")
            await quiet()
            assert changes == list(range(seq + 1, 21))


@pytest.mark.parametrize(
    "query",
    ["seq=0", "epoch={epoch}", "epoch={epoch}&seq=6", "epoch={epoch}&seq=-1", "epoch={epoch}&seq=1e3", "epoch=x&seq=3",
     "epoch={epoch}&seq=", "epoch={epoch}&seq=99999999999999999999", "epoch={epoch}&seq=%C2%B2", "seq=3", "?&&=="],
)  # fmt: skip
@simulated
async def test_values_that_make_no_sense_bring_a_state(tmp_path: Path, query: str) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        await paint(ann, 5)
        bob = await VirtualClient.open(canvas.door, "/ws?" + query.format(epoch=ann.screen.epoch))
        assert (bob.screen.states, bob.screen.resumes, bob.screen.seq) == (1, 0, 5)
        assert bob.screen.pixels == ann.screen.pixels


@pytest.mark.parametrize(
    ("epoch", "seq", "phase", "seen", "is_shown"),
    [
        ("ours", 95, Phase.NEEDS_SNAPSHOT, 95, True),
        ("ours", 100, Phase.NEEDS_SNAPSHOT, 100, True),
        ("ours", 95, Phase.JOINING, 95, False),
        ("ours", 90, Phase.NEEDS_SNAPSHOT, 90, True),  # all that is remembered has followed
        ("ours", 89, Phase.NEEDS_SNAPSHOT, 89, False),
        ("ours", 94, Phase.SKIPPING, 94, True),
        ("ours", 101, Phase.NEEDS_SNAPSHOT, -1, False),
        ("theirs", 95, Phase.NEEDS_SNAPSHOT, -1, False),
        ("theirs", 101, Phase.NEEDS_SNAPSHOT, -1, False),
        ("", -1, Phase.JOINING, -1, False),
    ],
)
@pytest.mark.parametrize("most", [5, 20])
def test_nothing_is_believed_that_a_client_cannot_have_seen(
    monkeypatch: pytest.MonkeyPatch, epoch: str, seq: int, phase: Phase, seen: int, is_shown: bool, most: int
) -> None:
    monkeypatch.setattr(broadcaster, "MAX_BEHIND", most)
    whole = Area(0, 0, 9, 9)
    view = View(JSON, True, whole, shown=whole, epoch=epoch, seq=seq, phase=phase)
    last = [Change(0, 0, 0xFF0000, "ann", number) for number in range(91, 101)]
    broadcaster.forget_stale_view(view, "ours", RecentChanges(100, last))
    assert (view.seq, view.shown is not None) == (seen, is_shown and 100 - seq <= most)


@CLIENTS
@simulated
async def test_client_too_far_behind_gets_a_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[VirtualClient]
) -> None:
    monkeypatch.setattr(recent_changes, "REMEMBERED", 50)
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await kind.open(canvas.door)
        screen = await hang_up(bob)
        for _ in range(20):
            await paint(ann, 5)
        bob = await kind.resume(canvas.door, screen)
        assert (screen.resumes, screen.states, screen.seq) == (0, 2, 100)
        assert screen.pixels == ann.screen.pixels


@pytest.mark.parametrize("crashes", [False, True], ids=["", "after a crash"])
@pytest.mark.parametrize(("behind", "resumes"), [(50, 1), (51, 0)])
@CLIENTS
@simulated
async def test_client_that_missed_exactly_what_is_remembered_resumes_and_one_that_missed_more_does_not(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[VirtualClient],
    behind: int,
    resumes: int,
    crashes: bool,
) -> None:
    for module in (recent_changes, canvas_module):
        monkeypatch.setattr(module, "REMEMBERED", 50)
    monkeypatch.setattr(recent_changes, "RUN", 7)
    monkeypatch.setattr(recent_changes, "ENCODED", 5)
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await kind.open(canvas.door)
        await paint(ann, 100 - behind)
        await caught_up(bob, 100 - behind)
        screen = await hang_up(bob)
        for _ in range(behind // 10):
            await paint(ann, 10)
        await paint(ann, behind % 10)
        if crashes:
            force_exit(victim(canvas, "broadcaster", ann), "crash")
            await mended(canvas.application)
        bob = await kind.resume(canvas.door, screen)
        await caught_up(bob, 100)
        assert (screen.resumes, screen.states) == (resumes, 2 - resumes)
        assert screen.pixels == ann.screen.pixels


@simulated
async def test_long_way_is_gone_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_changes, "RUN", 10)
    monkeypatch.setattr(recent_changes, "ENCODED", 5)
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        screen = await hang_up(bob)
        await paint(ann, 300)
        bob = await VirtualClient.resume(canvas.door, screen)
        ann.paint(0, 0, GREEN)
        await caught_up(bob, 301)
        assert (screen.resumes, screen.states, screen.skipped) == (1, 1, 0)
        assert screen.pixels == ann.screen.pixels


# Crashes under an open socket.


def victim(canvas: Simulation, name: str, client: VirtualClient) -> Ref:
    if name == "connection":
        return connection_of(canvas.application, client.screen.user_id)
    ref = whereis(name)
    assert ref is not None
    return ref


@pytest.mark.parametrize("name", ["connection", "canvas", "broadcaster", "encoder", "store", "registry"])
@CLIENTS
@simulated
async def test_crash_costs_a_client_that_can_resume_no_state(
    tmp_path: Path, kind: type[VirtualClient], name: str
) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await kind.open(canvas.door)
        await paint(ann, 5)
        await caught_up(bob, 5)
        bob = await kind.resume(canvas.door, await hang_up(bob))
        for round_ in range(1, 4):
            force_exit(victim(canvas, name, bob), "crash")
            await mended(canvas.application)
            await paint(ann, 5)
            await caught_up(bob, 5 + 5 * round_)
        assert (bob.screen.states, bob.screen.resumes) == (1, 4)
        assert bob.screen.pixels == ann.screen.pixels


@simulated
async def test_crash_shows_a_client_that_did_not_say_where_it_was_the_whole_canvas(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        await paint(ann, 5)
        force_exit(connection_of(canvas.application, "user1"), "crash")
        await ann.until(lambda: ann.screen.states == 2, "for the canvas again")
        assert ann.screen.resumes == 0


@simulated
async def test_newcomers_to_a_large_canvas_share_a_state_and_get_what_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_cache, "LARGE_SNAPSHOT", 0)
    monkeypatch.setattr(snapshot_cache, "BYTES_PER_CHANGE", 1)
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        await paint(ann, 50)
        first = await canvas.join()
        await paint(ann, 10)
        second = await canvas.join()
        await caught_up(second, 60)
        assert first.screen.pixels == second.screen.pixels == ann.screen.pixels


@CLIENTS
@simulated
async def test_client_that_moves_is_not_given_a_large_state_older_than_what_it_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[VirtualClient]
) -> None:
    monkeypatch.setattr(snapshot_cache, "LARGE_SNAPSHOT", 0)
    monkeypatch.setattr(snapshot_cache, "BYTES_PER_CHANGE", 1)
    part = (0, 0, 20, 10)
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await kind.open(canvas.door)
        await paint(ann, 50)
        first = await kind.open(canvas.door, "/ws?x=0&y=0&width=20&height=10")
        assert first.screen.seq == 50  # this state is kept
        await paint(ann, 1)
        await caught_up(bob, 51)
        bob.subscribe(*part)
        await bob.until(lambda: bob.screen.area == part)  # the screen fails on a state that goes back
        await quiet()
        assert bob.screen.pixels == {(x, y): c for (x, y), c in ann.screen.pixels.items() if x < 20 and y < 10}


@simulated
async def test_clients_that_come_back_share_the_messages_that_they_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_changes, "RUN", 100)
    monkeypatch.setattr(recent_changes, "ENCODED", 5)
    encoded: list[int] = []
    encode = JsonCodec.changes

    def count(codec: JsonCodec, changes: Sequence[Change], after: int) -> SharedMessage:
        encoded.append(len(changes))
        return encode(codec, changes, after)

    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        screens = []
        for _ in range(10):
            screens.append(await hang_up(await canvas.join()))
            await paint(ann, 7)
        await paint(ann, 930)
        monkeypatch.setattr(JsonCodec, "changes", count)
        for screen in screens:
            bob = await VirtualClient.resume(canvas.door, screen)
            await caught_up(bob, 1_000)
            assert (screen.resumes, screen.skipped, screen.pixels) == (1, 0, ann.screen.pixels)
        assert sum(encoded) < 2_000
