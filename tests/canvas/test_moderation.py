"""Rules of painting, cooldowns and bans with a running canvas, in virtual time."""

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from actors import Ref, cast, whereis
from actors.debug import force_exit, resume, suspend
from actors.testing import quiet, settle
from canvas.admin.user_directory import own_target
from canvas.board.area import Area
from canvas.board.grid import Change
from canvas.board.rules import Cooldown
from canvas.live import recent_users
from canvas.live.canvas import Paint
from protocol import Headers, Request
from tests.canvas.test_presence import LONG, cookie_of, join_with
from tests.support.instance import Simulation, connection_of, mended, simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import BinaryClient, VirtualClient, VirtualPeer

BOB = "192.0.2.7"
RED, GREEN = "#FF0000", "#00FF00"


async def ask(canvas: Any, method: str, *, status: int = 200, **query: Any) -> Any:
    """Ask the admin API for what it does with bans, and expect `status`."""
    target = f"/api/v1/bans?{urlencode(query)}" if query else "/api/v1/bans"
    answer = canvas.application.console.admin_routes(Request(method, target, (1, 1), Headers()))
    if inspect.isawaitable(answer):
        answer = await answer
    assert answer.status == status, answer
    return orjson.loads(answer.body)


async def code_of_refusal(client: VirtualClient, x: int, y: int, color: str) -> str:
    client.paint(x, y, color)
    return str((await client.error())["code"])


# Rules.


@simulated
async def test_rules_are_told_in_the_welcome_and_kept(tmp_path: Path) -> None:
    rules = {"palette": (0xFF0000,), "locked": (Area(0, 0, 2, 2),)}
    async with simulation(tmp_path, **rules) as canvas:
        ann = await canvas.join()
        assert await code_of_refusal(ann, 5, 5, GREEN) == "color_not_allowed"
        assert await code_of_refusal(ann, 1, 1, RED) == "area_locked"
        ann.paint(2, 2, RED)
        await ann.until(lambda: ann.screen.seq == 1)
        assert ann.screen.pixels == {(2, 2): RED}


@simulated
async def test_canvas_for_looking_refuses_every_pixel_and_shows_the_rest(tmp_path: Path) -> None:
    async with simulation(tmp_path, read_only=True) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        assert await code_of_refusal(ann, 5, 5, RED) == "read_only"
        ann.send(type="cursor_move", x=3, y=4)
        await bob.until(lambda: bob.screen.cursors == {"user1": (3, 4)})


@simulated
async def test_cooldown_holds_over_windows_reconnects_and_crashes(tmp_path: Path) -> None:
    async with simulation(tmp_path, cooldown=Cooldown(60.0, 60.0)) as canvas:
        ann = await canvas.join()
        ann.paint(0, 0, RED)
        await ann.until(lambda: ann.screen.seq == 1)
        assert await code_of_refusal(ann, 1, 0, RED) == "cooldown"
        second = await join_with(canvas, cookie_of(ann))
        assert await code_of_refusal(second, 1, 0, RED) == "cooldown"
        await second.leave()
        states = ann.screen.states + ann.screen.resumes
        force_exit(connection_of(canvas.application, "user1"), "crash")
        await ann.until(lambda: ann.screen.states + ann.screen.resumes > states)
        assert await code_of_refusal(ann, 1, 0, RED) == "cooldown"
        await settle(60.0)
        ann.paint(1, 0, RED)
        await ann.until(lambda: ann.screen.seq == 2)


# Bans.


def named(name: str) -> Ref:
    ref = whereis(name)
    assert isinstance(ref, Ref)
    return ref


async def knock(canvas: Simulation, *headers: str, address: str | None = None, path: str = "/ws") -> VirtualPeer:
    """A new client whose handshake has been answered."""
    peer = VirtualPeer(address)
    peer.begin(canvas.door, path, headers)
    await peer.until(lambda: bool(peer.response), "for the answer")
    return peer


async def come(canvas: Simulation, address: str | None = None, path: str = "/ws") -> VirtualClient:
    """A new client that sees the canvas."""
    client = VirtualClient(address)
    client.begin(canvas.door, path)
    await client.until(lambda: client.screen.states > 0, "for the canvas")
    return client


@simulated
async def test_banned_user_is_sent_away_and_kept_out_and_others_never_notice(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        made = await ask(canvas, "POST", whom="user1", reason="paints over others")
        assert (made["whom"], made["addresses"], made["sent_away"]) == ("user1", [], 1)
        assert await ann.end() == (4403, "you are banned: paints over others")
        peer = await knock(canvas, f"Cookie: {cookie_of(ann)}")
        assert peer.response.startswith(b"HTTP/1.1 403 ")
        page = await knock(canvas, f"Cookie: {cookie_of(ann)}", "Origin: http://canopy")
        assert await page.end() == (4403, "you are banned: paints over others")
        await settle(LONG)
        assert bob.screen.history[-1] == ("left", "user1")
        assert bob.closed is None


@simulated
async def test_banned_address_is_sent_away_until_the_ban_is_lifted(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        client = await come(canvas, "192.0.2.7")
        await ask(canvas, "POST", whom="192.0.2.0/24", seconds=3600)
        assert (await client.end())[0] == 4403
        await ask(canvas, "DELETE", whom="192.0.2.0/24")
        await come(canvas, "192.0.2.7")


Prepare = Callable[[Simulation], Awaitable[VirtualClient]]
"""Has user2 connect, and leaves it in some state."""


async def is_shown_the_canvas(canvas: Simulation) -> VirtualClient:
    return await come(canvas, BOB)


async def speaks_binary(canvas: Simulation) -> VirtualClient:
    client = BinaryClient(BOB)
    client.begin(canvas.door)
    await client.until(lambda: client.screen.states > 0, "for the canvas")
    return client


async def has_just_connected(canvas: Simulation) -> VirtualClient:
    suspend(named("broadcaster"))
    client = VirtualClient(BOB)
    client.begin(canvas.door)
    await client.until(lambda: bool(client.response), "for the handshake")
    return client


async def waits_for_its_state(canvas: Simulation) -> VirtualClient:
    suspend(named("encoder"))
    client = VirtualClient(BOB)
    client.begin(canvas.door)
    await client.until(lambda: bool(client.response), "for the handshake")
    await quiet()
    return client


async def waits_for_its_next_incarnation(canvas: Simulation) -> VirtualClient:
    client = await come(canvas, BOB)
    suspend(named("server.connections"))
    force_exit(connection_of(canvas.application, "user2"), "crash")
    await quiet()
    return client


async def waits_with_a_pixel(canvas: Simulation) -> VirtualClient:
    client = await waits_for_its_next_incarnation(canvas)
    client.paint(1, 1, RED)
    await quiet()
    return client


async def has_come_back_after_a_crash(canvas: Simulation) -> VirtualClient:
    client = await come(canvas, BOB)
    states = client.screen.states + client.screen.resumes
    force_exit(connection_of(canvas.application, "user2"), "crash")
    await client.until(lambda: client.screen.states + client.screen.resumes > states)
    return client


async def has_a_handler_that_is_busy(canvas: Simulation) -> VirtualClient:
    client = await come(canvas, BOB)
    suspend(connection_of(canvas.application, "user2"))
    client.paint(1, 1, RED)
    await quiet()
    return client


async def reads_nothing(canvas: Simulation) -> VirtualClient:
    client = await come(canvas, BOB)
    client.stall()
    return client


SITUATIONS: list[Prepare] = [
    is_shown_the_canvas, speaks_binary, has_just_connected, waits_for_its_state, waits_for_its_next_incarnation,
    waits_with_a_pixel, has_come_back_after_a_crash, has_a_handler_that_is_busy, reads_nothing,
]  # fmt: skip


@pytest.mark.parametrize("prepare", SITUATIONS, ids=lambda prepare: prepare.__name__)
@pytest.mark.parametrize("whom", ["user2", BOB])
@simulated
async def test_ban_holds_at_once_whatever_the_banned_wait_for(tmp_path: Path, prepare: Prepare, whom: str) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await come(canvas, "192.0.2.1")
        bob = await prepare(canvas)
        bob.is_mute = True  # it neither answers the close frame nor stops
        canvas.application.moderation.ban(whom)
        for name in ("broadcaster", "encoder", "server.connections"):
            resume(named(name))
        bob.paint(2, 2, RED)
        await quiet()
        busy = canvas.application.room.users.whereis("user2")
        if busy is not None:
            resume(busy)
        bob.paint(3, 3, RED)
        await mended(canvas.application)
        bob.catch_up()
        assert await bob.end() == (4403, "you are banned")
        await settle(LONG)
        assert ann.closed is None
        assert ann.screen.pixels == {}
        assert ann.screen.users == {"user1"}


@simulated
async def test_every_window_of_a_banned_user_is_closed(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        first = await canvas.join()
        second = await join_with(canvas, cookie_of(first))
        assert (await ask(canvas, "POST", whom="user1"))["sent_away"] == 2
        assert (await first.end(), await second.end()) == ((4403, "you are banned"),) * 2


@simulated
async def test_user_is_kept_out_with_their_address_until_that_is_lifted(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob, carl = await come(canvas, "192.0.2.1"), await come(canvas, "2001:db8::1"), await come(canvas)
        second = await come(canvas, "192.0.2.1")
        made = await ask(canvas, "POST", whom="user1", with_address=1)
        assert (made["addresses"], made["sent_away"]) == (["192.0.2.1"], 2)
        assert ((await ann.end())[0], (await second.end())[0]) == (4403, 4403)
        await bob.leave()
        await quiet()
        made = await ask(canvas, "POST", whom="user2", with_address=1)  # who has left
        assert (made["addresses"], made["sent_away"]) == (["2001:db8::/64"], 0)
        for address in ("192.0.2.1", "2001:db8::ffff"):
            assert (await knock(canvas, address=address)).response.startswith(b"HTTP/1.1 403 ")
        await ask(canvas, "DELETE", whom="user1")
        await come(canvas, "192.0.2.1")
        assert carl.closed is None


# Whom a text means.


async def crowd(canvas: Simulation) -> None:
    """Let eilb75ab (Ann) and eilb75cd (Bob) be here, and left234x (Carl) and gone9999 have been here."""
    for path in ("/ws?name=Ann", "/ws?name=Bob", "/ws?name=Carl", "/ws"):
        client = await come(canvas, path=path)
        if path in ("/ws?name=Carl", "/ws"):
            await client.leave()
    cast("canvas", Paint([Change(1, 1, 1, "painter7"), Change(1, 2, 1, "painter8"), Change(1, 1, 2, "mona22xy")]))
    await quiet()


USER_IDS = ["eilb75ab", "eilb75cd", "left234x", "gone9999"]


@pytest.mark.parametrize(
    ("text", "whom"),
    [("eilb75ab", "eilb75ab"), ("eilb75a", "eilb75ab"), ("Ann", "eilb75ab"), ("Carl", "left234x"),
     ("ann", "eilb75ab"), ("CARL", "left234x"),
     ("left23", "left234x"), ("gone9999", "gone9999"), (" gone99 ", "gone9999"), ("painter7", "painter7"),
     ("mona22", "mona22xy"), ("192.0.2.7/24", "192.0.2.0/24"), ("2001:db8::7", "2001:db8::/64"),
     ("::ffff:192.0.2.7", BOB)],
)  # fmt: skip
@simulated
async def test_ban_tells_whom_it_has_found(tmp_path: Path, text: str, whom: str) -> None:
    async with simulation(tmp_path, user_ids=USER_IDS) as canvas:
        await crowd(canvas)
        assert (await ask(canvas, "POST", whom=text))["whom"] == whom
        assert [ban["whom"] for ban in await ask(canvas, "GET")] == [whom]
        assert (await ask(canvas, "DELETE", whom=text))["unbanned"] == whom


@pytest.mark.parametrize(
    ("method", "query", "status", "told"),
    [("POST", {}, 400, "whom is missing"), ("DELETE", {}, 400, "whom is missing"),
     ("POST", {"whom": " "}, 400, "whom is missing"),
     ("POST", {"whom": "eilb75ab", "seconds": "soon"}, 400, "up to 3153600000 (36500 days), got soon"),
     ("POST", {"whom": "eilb75ab", "seconds": -1}, 400, "above 0"),
     ("POST", {"whom": "eilb75ab", "seconds": 1e11}, 400, "36500 days"),
     ("POST", {"whom": "eilb75"}, 409, "give the whole id of one of eilb75ab, eilb75cd"),
     ("POST", {"whom": "painter"}, 409, "give the whole id of one of painter7, painter8"),
     ("POST", {"whom": "eilb7"}, 404, "no user with that id or name"), ("POST", {"whom": "aaaaaaaa"}, 404, "no user"),
     ("POST", {"whom": "Anna"}, 404, "no user"), ("POST", {"whom": "192.0.2.300"}, 404, "is not an address"),
     ("POST", {"whom": "192.0.2.0/33"}, 404, "is not an address"),
     ("POST", {"whom": "local"}, 404, "is not an address"),
     ("POST", {"whom": "192.0.2.1", "with_address": 1}, 400, "is an address"),
     ("POST", {"whom": "painter7", "with_address": 1}, 409, "no address of painter7 is known"),
     ("POST", {"whom": "eilb75ab", "with_address": "yes"}, 400, "must be one of"),
     ("DELETE", {"whom": "eilb75ab"}, 404, "is not banned"), ("PUT", {"whom": "eilb75ab"}, 405, "only")],
)  # fmt: skip
@simulated
async def test_ban_that_means_nobody_or_several_is_refused(
    tmp_path: Path, method: str, query: dict[str, Any], status: int, told: str
) -> None:
    async with simulation(tmp_path, user_ids=USER_IDS) as canvas:
        await crowd(canvas)
        assert told in (await ask(canvas, method, status=status, **query))["error"]
        assert await ask(canvas, "GET") == []


@simulated
async def test_name_that_two_have_means_neither_and_an_id_is_nobodys_name(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        for name in ("Ann", "Ann", "user1", "user9"):
            await come(canvas, path=f"/ws?name={name}")
        assert "user1, user2" in (await ask(canvas, "POST", whom="Ann", status=409))["error"]
        assert (await ask(canvas, "POST", whom="user1"))["whom"] == "user1"
        assert (await ask(canvas, "POST", whom="user9"))["whom"] == "user4"


@simulated
async def test_name_in_the_very_letter_case_goes_before_the_same_name_in_another(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        for name in ("Eve", "eve"):
            await come(canvas, path=f"/ws?name={name}")
        for text, whom in (("Eve", "user1"), ("eve", "user2")):
            assert (await ask(canvas, "POST", whom=text, apply=0))["whom"] == whom
        assert "user1, user2" in (await ask(canvas, "POST", whom="EVE", status=409))["error"]


# What would happen, and to whom.


@simulated
async def test_preview_of_a_ban_tells_whom_it_would_send_away_and_does_nothing(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        eve = await come(canvas, BOB, "/ws?name=Eve")
        await come(canvas, BOB, "/ws?name=Ann")
        alone = await ask(canvas, "POST", whom="Eve", seconds=3600, apply=0)
        assert (alone["whom"], alone["name"], alone["sent_away"]) == ("user1", "Eve", 1)
        assert alone["told"]["text"] == "Eve (user1) will be banned for 1 hour."
        both = await ask(canvas, "POST", whom="Eve", with_address=1, apply=0)
        assert (both["addresses"], both["sent_away"]) == ([BOB], 2)
        assert both["told"]["text"] == f"Eve (user1) with {BOB} will be banned for good."
        assert both["told"]["warnings"] == ["It also disconnects 1 other user: Ann (user2)."]
        assert await ask(canvas, "GET") == []
        assert eve.closed is None
        made = await ask(canvas, "POST", whom="Eve", seconds=3600)
        assert all(made[name] == alone[name] for name in ("whom", "name", "addresses", "reason", "sent_away"))
        again = await ask(canvas, "POST", whom="user1", with_address=1, apply=0)
        assert "It replaces a ban until" in again["told"]["warnings"][1]


@simulated
async def test_banned_user_keeps_the_name_by_which_the_ban_is_lifted(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        await come(canvas, path="/ws?name=Eve")
        done = await ask(canvas, "POST", whom="Eve", reason="rude", seconds=86_400)
        assert done["told"]["text"] == "Eve (user1) is banned for 1 day. 1 connection was closed."
        lift, rollback = done["told"]["acts"]
        assert (lift["form"], lift["values"]) == ("lift", {"whom": "user1"})
        assert (rollback["form"], rollback["values"]) == ("rollback", {"user": "user1"})
    async with simulation(tmp_path) as canvas:  # which has never seen her
        (ban,) = await ask(canvas, "GET")
        assert (ban["whom"], ban["name"]) == ("user1", "Eve")
        before = await ask(canvas, "DELETE", whom="Eve", apply=0)
        assert before["told"]["text"].startswith("Eve (user1) is banned until ")
        assert await ask(canvas, "GET") == [ban]
        assert (await ask(canvas, "DELETE", whom="Eve"))["told"]["text"] == "Eve (user1) is no longer banned."
        assert await ask(canvas, "GET") == []


@pytest.mark.parametrize(
    ("whom", "addresses", "own"),
    [("ann", (), "your own user ann"), ("bob", (), None), ("bob", (BOB,), f"your own address {BOB}"),
     (BOB, (), f"your own address {BOB}"), ("192.0.2.0/24", (), f"your own address {BOB}"),
     ("::ffff:192.0.2.7", (), f"your own address {BOB}"), ("0.0.0.0/0", (), f"your own address {BOB}"),
     ("192.0.2.8", (), None), ("2001:db8::/64", (), None), ("bob", ("198.51.100.0/24",), None)],
)  # fmt: skip
def test_ban_of_oneself_is_found_by_user_and_by_address(whom: str, addresses: tuple[str, ...], own: str | None) -> None:
    for address in (BOB, f"::ffff:{BOB}"):
        found = own_target(whom, addresses, "ann", address)
        assert found == (None if own is None else own.replace(BOB, address))


@pytest.mark.parametrize(
    ("whom", "is_own"),
    [("2001:db8::/64", True), ("2001:db8::2", True), ("2001:db8::2/128", False), ("2001:db8::1/128", True),
     ("2001:db8:0:1::/64", False), ("192.0.2.0/24", False)],
)  # fmt: skip
def test_address_of_ipv6_is_oneself_as_far_as_a_ban_reaches(whom: str, is_own: bool) -> None:
    assert (own_target(whom, (), None, "2001:db8::1") is not None) == is_own


@pytest.mark.parametrize("address", ["local", "", "/run/canopy.sock"])
def test_whoever_has_no_address_bans_no_address_of_their_own(address: str) -> None:
    assert own_target("0.0.0.0/0", ("::/0",), None, address) is None


@simulated
async def test_user_who_is_connected_is_banned_while_the_history_does_not_answer(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        await canvas.join()
        suspend(named("history"))
        assert "cannot list the painters" in (await ask(canvas, "POST", whom="nobody77", status=503))["error"]
        assert (await ask(canvas, "POST", whom="user1"))["sent_away"] == 1
        resume(named("history"))


@simulated
async def test_guest_is_forgotten_when_many_have_come_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_users, "REMEMBERED", 2)
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        cookie = cookie_of(ann)
        await ann.leave()
        await bob.leave()
        await (await join_with(canvas, cookie)).leave()
        for name in ("Carl", "Dora"):
            await come(canvas, path=f"/ws?name={name}")
        await (await join_with(canvas, cookie)).leave()
        await ask(canvas, "POST", whom="user1")
        await ask(canvas, "POST", whom="user2", status=404)
        assert (await ask(canvas, "POST", whom="Carl"))["sent_away"] == 1  # forgotten as well, but connected


@simulated
async def test_unbanning_one_address_of_a_network_names_the_network(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        await ask(canvas, "POST", whom="192.0.2.0/24")
        told = await ask(canvas, "DELETE", whom="192.0.2.7", status=404)
        assert told["error"] == "192.0.2.7 is not banned, but 192.0.2.0/24 is"
