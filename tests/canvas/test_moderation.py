"""Rules of painting, cooldowns and bans with a running canvas, in virtual time."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from actors.debug import force_exit
from actors.testing import settle
from canvas.area import Area
from canvas.rules import Cooldown
from protocol import Headers, Request
from tests.canvas.test_presence import LONG, cookie_of, join_with
from tests.support.instance import connection_of, simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import VirtualClient, VirtualPeer

RED, GREEN = "#FF0000", "#00FF00"


def ask(canvas: Any, method: str, query: str = "", *, status: int = 200) -> Any:
    """Ask the admin API for what it does with bans, and expect `status`."""
    target = f"/api/v1/bans?{query}" if query else "/api/v1/bans"
    answer = canvas.application.console.admin_routes(Request(method, target, (1, 1), Headers()))
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


@simulated
async def test_banned_user_is_sent_away_and_kept_out_and_others_never_notice(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        ask(canvas, "POST", "whom=user1&reason=paints%20over%20others")
        assert await ann.end() == (4403, "you are banned: paints over others")
        peer = VirtualPeer()
        peer.begin(canvas.door, headers=(f"Cookie: {cookie_of(ann)}",))
        await peer.until(lambda: bool(peer.response), "for the answer")
        assert peer.response.startswith(b"HTTP/1.1 403 ")
        await settle(LONG)
        assert bob.screen.history[-1] == ("left", "user1")
        assert bob.closed is None


@simulated
async def test_banned_address_is_sent_away_until_the_ban_is_lifted(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        client = VirtualClient("192.0.2.7")
        client.begin(canvas.door)
        await client.until(lambda: client.screen.states > 0)
        ask(canvas, "POST", "whom=192.0.2.0/24&seconds=3600")
        assert (await client.end())[0] == 4403
        ask(canvas, "DELETE", "whom=192.0.2.0/24")
        again = VirtualClient("192.0.2.7")
        again.begin(canvas.door)
        await again.until(lambda: again.screen.states > 0)


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [("POST", "", 400), ("DELETE", "", 400), ("POST", "whom=ann&seconds=soon", 400), ("POST", "whom=a&seconds=-1", 400),
     ("DELETE", "whom=nobody", 404), ("PUT", "whom=ann", 405)],
)  # fmt: skip
@simulated
async def test_bad_question_about_bans_is_refused(tmp_path: Path, method: str, query: str, status: int) -> None:
    async with simulation(tmp_path) as canvas:
        ask(canvas, method, query, status=status)
        assert ask(canvas, "GET") == []
