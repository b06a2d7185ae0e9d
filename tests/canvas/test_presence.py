"""Who is there, in virtual time: everybody is told once of every arrival and departure, and a crash is neither.

Every `Screen` fails when somebody joins who is there already, or leaves who was not.
"""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import whereis
from actors.debug import force_exit
from actors.testing import settle
from canvas.live.broadcaster import PRESENCE_INTERVAL, RETURN_TIMEOUT
from canvas.live.presence import MAX_NAMED, Presence
from canvas.live.room import Viewer
from tests.support.client import Client
from tests.support.instance import Simulation, connection_of, mended, simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, RESET, VirtualClient

LONG = 2 * RETURN_TIMEOUT


def people(*clients: Client) -> set[str]:
    return {client.screen.user_id for client in clients}


def cookie_of(client: VirtualClient) -> str:
    """What the server wants the client to send along the next time."""
    (line,) = (line for line in client.response.decode().split("\r\n") if line.startswith("Set-Cookie: "))
    return line.removeprefix("Set-Cookie: ").partition(";")[0]


async def join_with(canvas: Simulation, cookie: str) -> VirtualClient:
    """A client that has been here before."""
    client = VirtualClient()
    client.begin(canvas.door, headers=(f"Cookie: {cookie}",))
    await client.until(lambda: client.screen.states > 0, "for the canvas")
    return client


# PresenceChange and going.


@simulated
async def test_newcomer_knows_who_is_there_and_the_others_learn_of_it(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        assert ann.screen.users == {"user1"}
        bob = await canvas.join()
        assert bob.screen.users == {"user1", "user2"}
        await settle(LONG)
        assert ann.screen.history == [("joined", "user2")]
        assert bob.screen.history == []


@simulated
async def test_those_who_come_at_once_are_told_of_each_other_once(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        clients = [VirtualClient() for _ in range(10)]
        for client in clients:
            client.begin(canvas.door)
        await settle(LONG)
        for client in clients:
            assert client.screen.users == people(*clients)


@pytest.mark.parametrize("how", ["close", EOF, RESET])
@simulated
async def test_departure_is_told_to_the_others_once(tmp_path: Path, how: str) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob, eve = [await canvas.join() for _ in range(3)]
        await settle(LONG)
        if how == "close":
            await bob.leave()
        else:
            bob.hang_up(how)
            await bob.end()
        await settle(LONG)
        assert ann.screen.history[-1] == eve.screen.history[-1] == ("left", "user2")
        assert ann.screen.users == eve.screen.users == people(ann, eve)
        assert (await canvas.join()).screen.users == people(ann, eve) | {"user4"}


@simulated
async def test_short_visit_is_an_arrival_and_a_departure(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        await (await canvas.join()).leave()
        await settle(LONG)
        assert ann.screen.history == [("joined", "user2"), ("left", "user2")]


@simulated
async def test_welcome_of_a_crowd_names_some_and_counts_all(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        for _ in range(MAX_NAMED + 5):
            last = await canvas.join()
        assert last.screen.user_id in last.screen.users
        assert len(last.screen.users) == MAX_NAMED + 1
        assert last.screen.user_count == MAX_NAMED + 5


@simulated
async def test_crowd_is_told_of_as_many_as_it_can_bear_and_of_the_others_how_many_they_are(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        clients = [await canvas.join() for _ in range(MAX_NAMED + 5)]
        await settle(LONG)
        first, named, last = clients[0], clients[1], clients[-1]
        assert len(first.screen.users) == MAX_NAMED
        assert {client.screen.user_count for client in clients} == {MAX_NAMED + 5}
        assert last.screen.user_id not in first.screen.users
        await named.leave()  # one of the others takes the place
        await settle(LONG)
        assert len(first.screen.users) == MAX_NAMED
        promoted = clients[MAX_NAMED]
        assert first.screen.history[-2:] == [("left", "user2"), ("joined", promoted.screen.user_id)]
        assert named.screen.user_id not in promoted.screen.users
        assert first.screen.user_count == last.screen.user_count == MAX_NAMED + 4
        for client in clients[MAX_NAMED:]:
            await client.leave()
        await settle(LONG)
        assert first.screen.user_count == len(first.screen.users) == MAX_NAMED - 1


@simulated
async def test_name_is_told_with_the_arrival_and_in_the_welcome(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        bob = await VirtualClient.open(canvas.door, "/ws?name=Bob%20%3Cb%3E")
        eve = await canvas.join()
        await settle(LONG)
        assert ann.screen.names["user2"] == eve.screen.names["user2"] == bob.screen.names["user2"] == "Bob <b>"
        await bob.leave()
        await settle(LONG)
        assert "user2" not in ann.screen.names


@pytest.mark.parametrize(
    ("asked", "name"),
    [("%00", None), ("a%0Ab", "a b"), ("%1B[31m", "[31m"), ("x" * 33, "x" * 32), ("%E3%85%A4", None), ("%FF", None)],
)
@simulated
async def test_name_that_cannot_be_shown_refuses_nobody(tmp_path: Path, asked: str, name: str | None) -> None:
    async with simulation(tmp_path) as canvas:
        client = await VirtualClient.open(canvas.door, f"/ws?name={asked}")
        assert client.screen.names.get("user1") == name


@pytest.mark.parametrize("asked", ["fw7ed6", "fw7ed6xi", "FW7ED6", "%EF%BD%86w7ed6", "fw7ed6%20(admin)"])
@simulated
async def test_name_that_begins_like_the_id_of_somebody_present_is_not_told(tmp_path: Path, asked: str) -> None:
    async with simulation(tmp_path, user_ids=["4byftura", "eve", "fw7ed6xi"]) as canvas:
        ann = await canvas.join()
        eve = await VirtualClient.open(canvas.door, f"/ws?name={asked}")
        await settle(LONG)
        called = ann.screen.names["eve"]
        assert called.casefold()[:6] in ("fw7ed6", "\uff46w7ed6")
        bob = await canvas.join()
        await settle(LONG)
        assert "eve" not in bob.screen.names
        assert not ann.screen.names["eve"]
        assert not eve.screen.names["eve"]
        await bob.leave()
        await settle(LONG)
        assert ann.screen.names["eve"] == eve.screen.names["eve"] == called


STARTS = "fw7ed6", "FW7ED6", "4byftu"
VISITS = st.tuples(
    st.sampled_from([f"{start.lower()}{end}" for start in STARTS for end in "ab"]),
    st.sampled_from(["", "Ann", *STARTS, *(f"{start}!" for start in STARTS)]),
    st.booleans(),
)


@given(st.lists(VISITS, max_size=20))
def test_everybody_knows_the_same_names_and_none_of_them_begins_like_an_id(visits: list[tuple[str, str, bool]]) -> None:
    presence = Presence()
    told: dict[str, str] = {}
    there: dict[str, list[Viewer]] = {}
    asked: dict[str, str] = {}
    for user_id, name, is_coming in visits:
        viewers = there.setdefault(user_id, [])
        if is_coming:
            viewers.append(Viewer(user_id, name, cast(Any, None), cast(Any, object()), cast(Any, None)))
            asked[user_id] = name
            welcome = {person.user_id: person.name for person in presence.join(viewers[-1])}
        elif viewers:
            presence.leave(viewers.pop())
        diff = presence.take_diff()
        assert diff.user_count is None  # all are told of by name
        for change in diff.changes:
            assert change.is_present or change.user.user_id in told
            told.pop(change.user.user_id, None)
            if change.is_present:
                told[change.user.user_id] = change.user.name
        assert told.keys() == {each for each, viewers in there.items() if viewers}
        assert not is_coming or told == welcome
        ids = {each[:6] for each in told}
        assert not any(name and name.casefold()[:6] in ids for name in told.values())
        for each, shown in told.items():
            assert shown == asked[each] or asked[each].casefold()[:6] in ids


# Who comes back.


@simulated
async def test_visitor_with_a_cookie_is_the_same_again(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        cookie = cookie_of(ann)
        await ann.leave()
        again, stranger = await join_with(canvas, cookie), await join_with(canvas, cookie.replace("user1", "user9"))
        assert again.screen.user_id == "user1"
        assert cookie_of(again) == cookie  # renewed, so that it does not end for somebody who comes back
        assert stranger.screen.user_id == "user2"
        await again.leave()
        assert (await canvas.join()).screen.user_id == "user3"


@simulated
async def test_user_with_two_windows_is_one_person_until_both_are_closed(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        bob = await canvas.join()
        ann = await canvas.join()
        second = await join_with(canvas, cookie_of(ann))
        await settle(LONG)
        assert bob.screen.history == [("joined", "user2")]
        assert second.screen.users == {"user1", "user2"}
        assert second.screen.user_count == 2
        await ann.leave()
        await settle(LONG)
        assert bob.screen.users == {"user1", "user2"}
        await second.leave()
        await settle(LONG)
        assert bob.screen.history == [("joined", "user2"), ("left", "user2")]


@simulated
async def test_no_two_visitors_get_one_id(tmp_path: Path) -> None:
    async with simulation(tmp_path, user_ids=["ann", "ann", "ann", "bob"]) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        assert (ann.screen.user_id, bob.screen.user_id) == ("ann", "bob")


# Crashes.


@simulated
async def test_crash_and_return_of_a_connection_is_no_departure(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        await settle(LONG)
        for _ in range(3):
            force_exit(connection_of(canvas.application, "user2"), "crash")
            await settle(LONG)
        assert bob.screen.states == 4
        assert bob.screen.user_id == "user2"
        assert ann.screen.history == [("joined", "user2")]
        assert bob.screen.history == []
        await bob.leave()
        await settle(LONG)
        assert ann.screen.history == [("joined", "user2"), ("left", "user2")]


@simulated
async def test_arrival_is_told_once_to_one_whose_connection_crashed_at_that_moment(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        await settle(LONG)
        bob = await canvas.join()  # within the interval, so nobody was told yet
        force_exit(connection_of(canvas.application, "user1"), "crash")
        await settle(LONG)
        assert ann.screen.states == 2
        assert ann.screen.users == bob.screen.users == people(ann, bob)


@simulated
async def test_one_who_crashed_and_vanished_has_left(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        await settle(LONG)
        force_exit(connection_of(canvas.application, "user2"), "crash")
        bob.hang_up(RESET)
        await settle(LONG)
        assert ann.screen.history == [("joined", "user2"), ("left", "user2")]


@simulated
async def test_one_who_was_given_up_has_left(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        await settle(LONG)
        while bob.closed is None:
            states = bob.screen.states
            force_exit(connection_of(canvas.application, "user2"), "crash")
            await bob.until(lambda states=states: bob.closed is not None or bob.screen.states > states)
        assert bob.closed[0] == 1011
        await settle(LONG)
        assert ann.screen.history == [("joined", "user2"), ("left", "user2")]


@pytest.mark.parametrize(
    ("name", "states"),
    [*((name, 2) for name in ("registry", "store", "broadcaster", "canvas", "server.connections")), ("images", 1)],
)
@simulated
async def test_crash_of_another_actor_changes_nobodys_presence(tmp_path: Path, name: str, states: int) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob, eve = [await canvas.join() for _ in range(3)]
        await settle(LONG)
        ref = whereis(name)
        assert ref is not None
        force_exit(ref, "crash")
        await mended(canvas.application)
        await settle(LONG)
        for client in (ann, bob, eve):
            assert client.screen.states == states
            assert client.screen.users == {"user1", "user2", "user3"}
        await bob.leave()
        await settle(LONG)
        assert ann.screen.history[-1] == eve.screen.history[-1] == ("left", "user2")


# Cursors.


@simulated
async def test_cursors_of_one_interval_are_told_as_the_latest(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        await settle(1.0)
        told: list[tuple[str, int]] = []
        bob.on_message = lambda kind, message: told.append((kind, message.get("x", 0)))
        for number in range(30):
            ann.send(type="cursor_move", x=number, y=5)
            await asyncio.sleep(0.010)
        await settle(1.0)
        assert bob.screen.cursors == ann.screen.cursors == {"user1": (29, 5)}
        assert told[0] == ("cursor_moved", 0)
        assert len(told) <= 0.300 / PRESENCE_INTERVAL + 2


@simulated
async def test_first_cursor_move_is_told_at_once(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        await settle(1.0)
        began = loop.time()
        ann.send(type="cursor_move", x=1, y=2)
        await bob.until(lambda: bob.screen.cursors == {"user1": (1, 2)})
        assert loop.time() == began


@simulated
async def test_cursor_of_one_who_has_left_is_not_told(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        ann.send(type="cursor_move", x=1, y=2)
        ann.hang_up(EOF)
        await settle(LONG)
        assert ("left", "user1") in bob.screen.history
        order: list[str] = []
        bob.on_message = lambda kind, message: order.append(kind)
        await settle(LONG)
        assert "cursor_moved" not in order
